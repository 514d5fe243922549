import type { ConsumerGroup } from '../client/internals.ts';
import type { EndOffsets } from './end-offsets.ts';
import type { Gate } from './gate.ts';
import type { Heartbeats } from './heartbeats.ts';

/**
 * Waits of the intake: for credit, for the mutex, for a record to settle.
 *
 * Promise: meanwhile the membership is kept alive and the end offsets are refreshed, and no wait continues once the gate is shut. If
 * the group goes on without us or re-forms, the gate is shut at once.
 */
export interface Waits {
  /** Resolves to the result of `wait`. Rejects with the client's error, so that the client re-joins, if the membership was lost meanwhile. */
  whileMember(
    group: ConsumerGroup,
    wait: (signal: AbortSignal) => Promise<boolean>,
    onWasted?: () => void,
  ): Promise<boolean>;
  /** How many waits are in progress. */
  readonly count: number;
}

export function createWaits(deps: {
  readonly gate: Gate;
  readonly heartbeats: Heartbeats;
  readonly ends: EndOffsets;
}): Waits {
  const { gate, heartbeats, ends } = deps;
  let count = 0;
  return {
    get count() {
      return count;
    },

    async whileMember(group, wait, onWasted) {
      count++;
      let lost: unknown;
      try {
        const granted = await gate.whileOpen((signal) =>
          heartbeats.during(group, ends.during(group, wait(signal)), (error) => {
            lost = error;
            gate.close('re-joining');
          }),
        );
        if (lost === undefined) return granted;
        if (granted) onWasted?.();
        throw lost;
      } finally {
        count--;
      }
    },
  };
}
