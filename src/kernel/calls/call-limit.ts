/**
 * How many calls may be under way, learned from how long they take: a gradient limit in the manner of Netflix's
 * concurrency-limits (Gradient2). Pure: told of each answer, asked for the limit.
 *
 * A store answers so many calls at a time; what is sent beyond that waits there. So the time of an unloaded call, over the
 * time that calls take now, says which share of the calls under way is worked on (the gradient): the limit moves to that
 * share, plus a few to find out whether there is more. Growth needs use: with less than half the limit under way, an
 * answer says nothing about the limit, but how long an unloaded call takes.
 *
 * Under load no call is unloaded (cause) → an average of what was measured follows the queue that the limit itself makes,
 * and the limit runs away (effect) → every so often a few calls are made with a quarter of the limit under way, and what
 * they take is what a call takes (guard). What is slower for good so becomes what is usual, and the limit comes back.
 *
 * Times are compared within a class of calls by their number of keys. Limits: our own thread's delays look like the
 * store's; a store whose time a call swings by more than TOLERANCE within seconds gets fewer calls than it could take.
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
/** So much slower than usual is not slow: answers vary. */
const TOLERANCE = 1.5;
/** At most this share is given up at a time. */
const STEEPEST = 0.5;
/** Of what a window asks for, so much is done. */
const WEIGHT = 0.5;
/** A class is known from so many answers, by how slow the others are then. */
const FIRST_ANSWERS = 8;
const SHORTEST_WINDOW = 4;
const UNLOADED_WEIGHT = 0.05;
const DIP = 4;
const DIP_ANSWERS = 8;
const FIRST_DIP_AFTER = 32;
const MOST_DIP_AFTER = 1_024;
/** Below that a clock tells more of itself than of a call. */
const SHORTEST_MS = 0.05;
