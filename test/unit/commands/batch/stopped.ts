/** A batch in this process that is told to stop in the middle. */
import assert from 'node:assert/strict';
import { batch } from '../../../../src/commands/batch/batch.ts';
import type { BatchOptions } from '../../../../src/commands/batch/options.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { Text } from '../../../fixtures/io.ts';
import { seeded } from '../../../fixtures/random.ts';

type Asked = Partial<BatchOptions> & Pick<BatchOptions, 'topology' | 'input' | 'output'>;

/** SIGTERM at about the n-th frame, by readings of the clock. */
export async function stoppedBatch(options: Asked, readings: number): Promise<string> {
  const clock = createSystemClock();
  const stderr = new Text();
  let signal: (name: string) => void = () => undefined;
  let n = 0;
  const code = await batch(
    {
      ...{
        inputFormat: undefined,
        outputFormat: undefined,
        from: undefined,
        to: undefined,
        deadLetters: undefined,
        features: undefined,
        bookmark: undefined,
      },
      ...{ limit: Number.POSITIVE_INFINITY, resume: false, json: false, ...options },
    },
    {
      env: {},
      clock: {
        ...{ monotonicMs: clock.monotonicMs, after: clock.after },
        wallMs() {
          if (++n === readings) signal('SIGTERM');
          return clock.wallMs();
        },
      },
      random: seeded(1),
      ...{ stdin: process.stdin, stdout: new Text(), stderr, instance: 'test' },
      processorLoad: () => 0,
      onSignal(stop) {
        signal = stop;
        return () => undefined;
      },
    },
  );
  assert.equal(code, 0, stderr.text);
  return stderr.text;
}
