import type { Clock } from '../../../kernel/clock.ts';

/**
 * How long this process may assume that it is a member. A process that was stopped (SIGSTOP, a suspended machine, a long garbage
 * collection) wakes up with fetched records although its partitions belong to somebody else → whatever it hands over comes twice →
 * once a session time-out has passed since the last answered heartbeat, nothing is handed over until another one is answered.
 *
 * Counted from the sending of a heartbeat, because the stop may have come between it and its answer.
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
