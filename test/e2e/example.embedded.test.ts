import { exampleConformance } from '../contract/example.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';

exampleConformance('embedded services', startEmbeddedStack, { rounds: 4, instances: 2 });
