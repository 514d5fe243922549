import type { PathTimes } from '../../batching/path-times.ts';
import type { Frame } from '../../kernel/frame.ts';

/** The most frames that are watched at once; others are ignored. */
const WATCHED = 8;
/** A frame that has settled since the last look counts as settled now if that look was at most this long ago; otherwise the time is unknown. */
const LOOK_SHARE = 0.1;
/** A frame is no longer watched after this many budgets. */
const GIVE_UP_BUDGETS = 10;

/**
 * Measures how long frames take from their run until they are settled, by checking some of them whenever the batcher has something to
 * do anyway: no timer, and no allocation per frame. Limit: it sees nothing while little happens.
 */
export class SettleTimes {
  private readonly times: PathTimes;
  private readonly budgetMs: number;
  private readonly frames: (Frame | undefined)[] = new Array(WATCHED).fill(undefined);
  private readonly beforeMs = new Float64Array(WATCHED);
  private readonly sinceMs = new Float64Array(WATCHED);
  private watched = 0;
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(times: PathTimes, options: { readonly budgetMs: number }) {
    this.times = times;
    this.budgetMs = options.budgetMs;
  }

  /** The model has scored the frame, whose records had been `beforeMs` on their way on arrival; a late frame tells nothing. */
  watch(frame: Frame, beforeMs: number, nowMs: number): void {
    if (this.watched === WATCHED || !(beforeMs < this.budgetMs)) return;
    const free = this.frames.indexOf(undefined);
    this.frames[free] = frame;
    this.beforeMs[free] = beforeMs;
    this.sinceMs[free] = nowMs;
    this.watched++;
  }

  look(nowMs: number): void {
    const wasMs = this.lookedMs;
    this.lookedMs = nowMs;
    if (this.watched === 0) return;
    const isClose = nowMs - wasMs <= LOOK_SHARE * this.budgetMs;
    for (let i = 0; i < WATCHED; i++) {
      const frame = this.frames[i];
      if (frame === undefined) continue;
      const afterMs = nowMs - this.sinceMs[i];
      const isSettled = frame.unsettled === 0;
      if (!isSettled && afterMs < GIVE_UP_BUDGETS * this.budgetMs) continue;
      if (isSettled && isClose) this.times.observe(this.beforeMs[i], afterMs);
      this.frames[i] = undefined;
      this.watched--;
    }
  }
}
