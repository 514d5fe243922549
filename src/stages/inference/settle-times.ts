import type { PathTimes } from '../../batching/path-times.ts';
import type { Frame } from '../../kernel/frame.ts';

/** Frames that are watched at once; others pass unseen. */
const WATCHED = 8;
/** A frame that has settled since the last look, so long ago at most, settled now; else nobody knows when. */
const LOOK_SHARE = 0.1;
/** Later than this many budgets nobody waits to see it settle. */
const GIVE_UP_BUDGETS = 10;

/**
 * Sees how long frames take from their run until they are settled, by looking at some of them whenever the batcher has
 * something to do anyway: no timer, nothing made once a frame. Limit: it sees nothing while little happens.
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

  /** The model is done with the frame, which had been `beforeMs` on its way when it came; one that came late tells nothing. */
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
