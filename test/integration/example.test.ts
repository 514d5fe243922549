import { exampleConformance } from '../contract/example.ts';
import { exampleScale } from '../contract/example-scale.ts';
import { startRealStack } from './real-stack.ts';

exampleConformance('real services', startRealStack, { rounds: 20, instances: 2 });
exampleScale('real services', startRealStack, { records: 200_000 });
