import { createRequire } from 'node:module';

/** The part of kafkajs 2.2.4's request queue that the guard looks at. */
export interface RequestQueue {
  /** Date.now() until which the broker asked us to wait; -1: never. */
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const require = createRequire(import.meta.url);
let installed = false;

/**
 * Each request queue of the client sets a timer for the end of a throttle even if there is none: -1 minus now (cause). Node warns
 * on standard error of a negative time-out, and the timer, which renews itself, fires every millisecond on every connection
 * (effect). A queue with nothing pending and no throttle has nothing to check, so no timer is set (guard): the client sets one
 * whenever it makes a request wait, and checks whenever one is answered.
 */
export function quietIdleQueues(wallMs: () => number): void {
  if (installed) return;
  installed = true;
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  guardIdle(prototype, wallMs);
}

export function guardIdle(prototype: RequestQueue, wallMs: () => number): void {
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > wallMs()) schedule.call(this);
  };
}
