import { describe } from 'node:test';
import { exampleBadInput } from './example-bad-input.ts';
import { lazyExample, type Stack } from './example-bench.ts';
import { exampleDlq } from './example-dlq.ts';
import { exampleHealth } from './example-health.ts';
import { examplePredictions } from './example-predictions.ts';
import { exampleRefusals } from './example-refusals.ts';
import { groupRounds, type RoundsOptions } from './example-rounds.ts';

/**
 * What the flight-delay example promises, on any stack: the real command as a child process, the shipped topology, flights
 * produced and read with the stock client. `start` is called once; the parts use topics of their own where they share it.
 */
export function exampleConformance(name: string, start: () => Promise<Stack>, rounds: RoundsOptions): void {
  const bench = lazyExample(start);
  describe(name, { concurrency: 2 }, () => {
    exampleRefusals(name, bench);
    examplePredictions(name, bench);
    exampleBadInput(name, bench);
    exampleDlq(name, bench);
    exampleHealth(name, bench);
    groupRounds(name, bench, rounds);
  });
}
