import type { Answered, Stops } from '../../kernel/bounded-source.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
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
  /** The run is over, its files are closed. */
  end(next: ReadonlyMap<number, number>, measure: () => Promise<Standing>, whole: boolean): Promise<void>;
  remove(): void;
}

/**
 * Keeps a bookmark up to date while a batch runs: every so often the source stops, all is written, and then so is the bookmark.
 * One that cannot be made because a broker is away is made at the next stop: the one before is as true as it was.
 */
export function createKeeper(
  { clock, answered, measure }: KeeperDeps,
  begun: Bookmark,
  { file, everyMs }: { readonly file: string; readonly everyMs: number },
): Keeper {
  let lastMs = clock.monotonicMs();
  const isPassed = (): boolean => answered === undefined || answered.left === 0;

  async function keep(
    next: ReadonlyMap<number, number>,
    standing: () => Promise<Standing>,
    whole: boolean,
  ): Promise<void> {
    // What lies behind `next` and was answered is found from where the output ended (cause) → with ends of later it would not be
    // found, and be published again (effect) → the old bookmark stays until `next` is behind all of it (guard).
    if (answered?.isBefore(next) === false) return;
    let measured: Standing;
    try {
      measured = await standing();
    } catch (thrown) {
      if (classify(thrown).disposition === 'retry') return;
      throw thrown;
    }
    writeBookmark(file, { ...begun, ...measured, next: Object.fromEntries(next), whole });
  }

  return {
    due: () => clock.monotonicMs() - lastMs >= everyMs && isPassed(),
    async at(next) {
      await keep(next, measure, false);
      lastMs = clock.monotonicMs();
    },
    end: keep,
    begin: () => {
      if (isPassed()) writeBookmark(file, begun);
    },
    remove: () => removeBookmark(file),
  };
}
