import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { shareOf } from '../../../../src/telemetry/merge.ts';
import { createTelemetry, type MetricStore } from '../../../../src/telemetry/metrics.ts';
import { keepLetters } from '../../../../src/telemetry/state/dead-letters.ts';
import { createSampler, type Parts, type Sampler } from '../../../../src/telemetry/state/sampler.ts';
import type { State } from '../../../../src/telemetry/state/state.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

export const READY = { live: true, ready: true, waits: [] };

export interface Watched {
  readonly clock: FakeClock;
  readonly stores: readonly MetricStore[];
  readonly sampler: Sampler;
  state(instance?: string): State;
}

/** One pipeline, or several with numbers; `parts` may change what is read. */
export function watch(
  context: TestContext,
  pipelines = 1,
  change: (parts: Parts) => Parts = (parts) => parts,
): Watched {
  const clock = new FakeClock();
  const made = Array.from({ length: pipelines }, () => {
    const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
    return { telemetry, letters: keepLetters({ clock, telemetry }) };
  });
  const read = async (): Promise<Parts> =>
    change({
      process: [],
      health: READY,
      parts: made.map(({ telemetry, letters }, i) => ({
        instance: pipelines === 1 ? '' : String(i + 1),
        share: shareOf(telemetry),
        health: READY,
        letters: letters(),
      })),
    });
  const sampler = createSampler({ clock, read }, { topology: 'flights' });
  context.after(() => sampler.close());
  return {
    clock,
    sampler,
    stores: made.map(({ telemetry }) => telemetry),
    state(instance = '') {
      const state = sampler.state({ instance });
      assert.ok(state !== undefined);
      return state;
    },
  };
}
