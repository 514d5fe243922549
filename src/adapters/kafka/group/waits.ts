import type { ConsumerGroup } from '../client/internals.ts';
import type { EndOffsets } from './end-offsets.ts';
import type { Gate } from './gate.ts';
import type { Heartbeats } from './heartbeats.ts';

/**
 * Waits of the intake: for credit, for its turn, for a record to settle.
 *
 * Promise: the membership is kept and the ends are looked at meanwhile, and no wait outlasts an open gate. A group that goes on
 * without us or re-forms shuts the gate at once.
 */
export interface Waits {
  /** True once `wait` has come true. Rejects with the client's error, so that it re-joins, when the group was lost meanwhile. */
  whileMember(
    group: ConsumerGroup,
    wait: (signal: AbortSignal) => Promise<boolean>,
    onWasted?: () => void,
  ): Promise<boolean>;
  /** How many there are. */
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
