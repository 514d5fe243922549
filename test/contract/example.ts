import { lazyExample, type Stack } from './example-bench.ts';
import { examplePredictions } from './example-predictions.ts';

/**
 * What the flight-delay example promises, on any stack: the real command as a child process, the shipped topology, flights
 * produced and read with the stock client. `start` is called once; the parts use topics of their own where they share it.
 */
export function exampleConformance(name: string, start: () => Promise<Stack>): void {
  const bench = lazyExample(start);
  examplePredictions(name, bench);
}
