import { exampleConformance } from '../contract/example.ts';
import { startRealStack } from './real-stack.ts';

exampleConformance('real services', startRealStack, { rounds: 20, instances: 2 });
