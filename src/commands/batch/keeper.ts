import type { Clock } from '../../kernel/clock.ts';
import type { Answered, Stops } from '../../kernel/hand-over.ts';
import { type Bookmark, removeBookmark, writeBookmark } from './bookmark.ts';

/** What of a bookmark changes as a batch goes on. */
export type Standing = Pick<Bookmark, 'keep' | 'ends' | 'counts' | 'read'>;

export interface KeeperDeps {
  readonly clock: Clock;
  readonly answered: Answered | undefined;
  /** All that was settled is on the disk, or with the broker: how far that is. */
  readonly measure: () => Promise<Standing>;
}

export interface Keeper extends Stops {
  /** Before anything is written elsewhere: from here on a run may end at any time. */
  begin(): void;
  /** Writes down where it stands, where that can be said. */
  keep(next: ReadonlyMap<number, number>, standing: Standing, whole?: boolean): void;
  remove(): void;
}

/** Keeps a bookmark up to date while a batch runs: every so often the source stops, all is written, and then so is the bookmark. */
export function createKeeper(
  { clock, answered, measure }: KeeperDeps,
  begun: Bookmark,
  { file, everyMs }: { readonly file: string; readonly everyMs: number },
): Keeper {
  let lastMs = clock.monotonicMs();
  // What lies behind the bookmark and was answered is found from where its output ended; that must not move past it.
  const isPassed = (): boolean => answered === undefined || answered.left === 0;
  const keeper: Keeper = {
    due: () => clock.monotonicMs() - lastMs >= everyMs && isPassed(),
    async at(next) {
      keeper.keep(next, await measure());
      lastMs = clock.monotonicMs();
    },
    keep(next, standing, whole = false) {
      if (whole || isPassed()) writeBookmark(file, { ...begun, ...standing, next: Object.fromEntries(next), whole });
    },
    begin: () => {
      if (isPassed()) writeBookmark(file, begun);
    },
    remove: () => removeBookmark(file),
  };
  return keeper;
}
