import type { Clock } from '../../../kernel/clock.ts';

/**
 * How long this member may believe that it is one. A process that was stopped (SIGSTOP, a suspended machine, a long pause of the
 * collector) wakes with fetched records at hand, and its partitions belong to somebody else → whatever it hands over comes twice →
 * once a session has passed since the last heartbeat that the coordinator answered, nothing is handed over before it answers another.
 *
 * Counted from when a heartbeat was sent: the stop may have come between it and its answer.
 */
export interface Lease {
  /** A heartbeat that was sent at this time was answered well. */
  renew(sentAtMonotonicMs: number): void;
  readonly isOver: boolean;
}

export function createLease(deps: { readonly clock: Clock }, options: { readonly sessionTimeoutMs: number }): Lease {
  const { clock } = deps;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  return {
    renew(sentAtMonotonicMs) {
      renewedAtMs = sentAtMonotonicMs;
    },
    get isOver() {
      return clock.monotonicMs() - renewedAtMs > options.sessionTimeoutMs;
    },
  };
}
