import type { Step } from '../../overload/ladder.ts';

/** The steps that change where feature rows come from. */
export type StoreStep = Extract<Step, 'stale-cache' | 'default-features'>;

/** What the feature readers may give up, and who tells them when; made by `createOverload`. */
export interface Relief {
  /** Cached rows may be used up to this age; 0: never beyond their ttl. */
  readonly staleMs: number;
  /** Rows that the store does not answer may count as missing. */
  readonly defaults: boolean;
  /** Whether the ladder has taken the step: for all reads, whether their store answers or not. */
  inForce(step: StoreStep): boolean;
  /** Called when the ladder takes a step: frames that wait for the store may go on. */
  onTaken(listener: () => void): void;
  /** The store of `read` is down, or back; `what` names it for people, the same for all reads of a table. */
  storeIs(out: boolean, read: object, what: string, why: string): void;
}
