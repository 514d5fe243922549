/**
 * How many calls may be in flight, learned from how long they take: a gradient limit like that of Netflix's concurrency-limits
 * (Gradient2). Pure: it is told of each answer, and asked for the limit.
 *
 * A store works on a certain number of calls at a time; further calls queue there. So the time of an unloaded call, divided by the
 * current time of calls, is the share of the calls in flight that is being worked on (the gradient): the limit moves to that share,
 * plus a few calls to find out whether there is more capacity. It grows only with use: with less than half of the limit in flight, an
 * answer tells nothing about the limit, only how long an unloaded call takes.
 *
 * Under load no call is unloaded (cause) → an average of the measured times would follow the queue that the limit itself causes, and
 * the limit would run away (effect) → now and then a few calls are made with a quarter of the limit in flight, and their time counts as
 * that of an unloaded call (guard). So a permanently slower store becomes the norm, and the limit recovers.
 *
 * Times are compared within a class of calls with a similar number of keys. Limits: delays of our own thread look like those of the
 * store; a store whose time per call varies by more than TOLERANCE within seconds gets fewer calls than it could take.
 */
export class ConcurrencyLimit {
  private readonly max: number;
  private limit: number;
  /** By class: what an unloaded call takes, and of how many answers that was told first. */
  private readonly usualMs = new Float64Array(CLASSES);
  private readonly seen = new Uint8Array(CLASSES);
  private readonly window = new Mean();
  /** How many times the usual calls took in the last window. */
  private slowness = 1;
  private answersToDip = FIRST_DIP_AFTER;
  private dipAfter = FIRST_DIP_AFTER;
  /** Undefined: no dip is on. */
  private dip: Mean | undefined;

  constructor({ initial, max }: { readonly initial: number; readonly max: number }) {
    this.max = max;
    this.limit = Math.min(initial, max);
  }

  /** Calls that may be in flight. */
  get allowed(): number {
    return this.dip === undefined ? this.usual : Math.max(1, Math.floor(this.limit / DIP));
  }

  /** … but for the moments in which fewer are let through to learn. */
  get usual(): number {
    return Math.floor(this.limit);
  }

  /** A call for `keys` keys was answered after `tookMs`; when it began, `inFlight` were under way, with it. */
  answered(keys: number, tookMs: number, inFlight: number): void {
    const of = Math.min(CLASSES - 1, Math.floor(Math.log2(keys)));
    const ms = Math.max(tookMs, SHORTEST_MS);
    if (this.seen[of] < FIRST_ANSWERS) this.usualMs[of] += (ms / this.slowness - this.usualMs[of]) / ++this.seen[of];
    const slowness = ms / this.usualMs[of];
    if (this.dip !== undefined) {
      if (inFlight <= this.allowed) this.sampleDip(this.dip, slowness);
    } else if (inFlight < this.limit / 2) {
      this.usualMs[of] += (ms - this.usualMs[of]) * UNLOADED_WEIGHT;
    } else {
      this.window.add(slowness);
      if (this.window.count >= Math.max(SHORTEST_WINDOW, this.limit)) this.move();
      if (--this.answersToDip <= 0) this.dip = new Mean();
    }
  }

  /** The store refused a call because it has too many. */
  overloaded(): void {
    this.limit = Math.max(1, this.limit / 2);
    this.window.take();
  }

  private move(): void {
    this.slowness = Math.max(1, this.window.take());
    const gradient = Math.min(1, Math.max(STEEPEST, TOLERANCE / this.slowness));
    const wanted = this.limit * gradient + Math.max(1, Math.sqrt(this.limit));
    this.limit = Math.min(this.max, Math.max(1, this.limit + (wanted - this.limit) * WEIGHT));
  }

  private sampleDip(dip: Mean, slowness: number): void {
    dip.add(slowness);
    if (dip.count < DIP_ANSWERS) return;
    const change = dip.take();
    for (let of = 0; of < CLASSES; of++) this.usualMs[of] *= change;
    this.dip = undefined;
    this.dipAfter = Math.min(MOST_DIP_AFTER, this.dipAfter * 2);
    this.answersToDip = this.dipAfter;
    this.window.take();
  }
}

class Mean {
  count = 0;
  private sum = 0;

  add(value: number): void {
    this.count++;
    this.sum += value;
  }

  /** The mean, from there on of nothing. */
  take(): number {
    const mean = this.sum / this.count;
    this.count = 0;
    this.sum = 0;
    return mean;
  }
}

/** 1, 2 to 3, 4 to 7, … keys per call. */
const CLASSES = 13;
/** A call up to this much slower than usual is not slow, because answers vary. */
const TOLERANCE = 1.5;
/** The largest share of the limit that is given up at a time. */
const STEEPEST = 0.5;
/** How much of the change that a window suggests is applied. */
const WEIGHT = 0.5;
/** A class is known from so many answers, by how slow the others are then. */
const FIRST_ANSWERS = 8;
const SHORTEST_WINDOW = 4;
const UNLOADED_WEIGHT = 0.05;
const DIP = 4;
const DIP_ANSWERS = 8;
const FIRST_DIP_AFTER = 32;
const MOST_DIP_AFTER = 1_024;
/** Below this, the clock's resolution matters more than the call. */
const SHORTEST_MS = 0.05;
