import type { Step } from '../../overload/ladder.ts';

/** The steps that change where feature rows come from. */
export type StoreStep = Extract<Step, 'stale-cache' | 'default-features'>;

/** What the feature readers may give up, and who tells them that it is time to; made by `createOverload`. */
export interface Relief {
  /** Rows of the cache may be used up to this age; 0: never beyond their ttl. */
  readonly staleMs: number;
  /** Rows may count as missing that the store did not answer. */
  readonly defaults: boolean;
  /** The ladder has taken the step: for all reads, whether their store answers or not. */
  inForce(step: StoreStep): boolean;
  /** Called when the ladder takes one: whoever waits for the store may go on. */
  onTaken(listener: () => void): void;
  /** The store of `read` is out, or back; `what` for people: reads of one table have the same. */
  storeIs(out: boolean, read: object, what: string, why: string): void;
}
