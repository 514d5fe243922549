import type { Answered, Stops } from '../../kernel/bounded-source.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import { type Bookmark, removeBookmark, writeBookmark } from './bookmark.ts';

/** The part of a bookmark that changes while a batch runs. */
export type Standing = Pick<Bookmark, 'keep' | 'ends' | 'counts' | 'read'>;

export interface KeeperDeps {
  readonly clock: Clock;
  readonly answered: Answered | undefined;
  /** Called when everything settled is on disk or acknowledged by the broker; returns how far that is. */
  readonly measure: () => Promise<Standing>;
}

export interface Keeper extends Stops {
  /** Call before anything is written elsewhere: from then on the run may die at any time. */
  begin(): void;
  /** Call when the run is over and its files are closed. */
  end(next: ReadonlyMap<number, number>, measure: () => Promise<Standing>, whole: boolean): Promise<void>;
  remove(): void;
}

/**
 * Keeps a bookmark up to date while a batch runs: at intervals the source stops, all output is flushed, and the bookmark is written.
 * If a broker is down, this bookmark is skipped; the previous one stays valid until the next stop.
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
    // Records at or after `next` that were already answered are found by reading from the recorded ends (cause) → with later ends
    // they would be missed and published again (effect) → the old bookmark stays until `next` has passed all of them (guard).
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
