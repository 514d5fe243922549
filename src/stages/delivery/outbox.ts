import type { Timer } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, OPEN, PUBLISHED, REASONS } from '../../kernel/fate.ts';
import type { Frame, Origin } from '../../kernel/frame.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { Part, TransactionalSink } from '../../ports/transactions.ts';
import { persist } from '../outage.ts';
import type { StageDeps } from '../types.ts';
import type { Refusals } from './refusals.ts';
import { type Settlement, sourceOf } from './settlement.ts';

export interface OutboxDeps extends StageDeps {
  readonly sink: TransactionalSink;
  readonly settlement: Settlement;
  readonly refusals: Refusals;
  readonly isCurrent: (origin: Origin) => boolean;
  /** Somebody else writes for this origin: its ownership period is over, and another one may begin. */
  readonly onLost: (origin: Origin) => void;
  /** Appends record `i` to the row's part: its output or its dead letter. */
  readonly append: (frame: Frame, i: number, part: (topic: string, partition: number) => RecordSlab) => number;
}

export interface OutboxOptions {
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

/** A run of records from the head of the box: what one transaction makes durable. */
interface Cut {
  readonly parts: readonly Part[];
  readonly nextOffset: number;
  readonly rows: number;
  /** Frames that it ends, and how far it goes into the one after them. */
  readonly frames: number;
  readonly into: number;
  /** The record of its last row. */
  readonly lastFrame: Frame | undefined;
  readonly lastRecord: number;
}

const FIRST_RECORDS = 64;
const FIRST_BYTES = 16 * 1024;

/**
 * Frames of one origin on their way out, in input order: one transaction at a time takes rows from their head, with the offset behind them.
 *
 * What comes while a transaction is under way goes with the next one. One that fails is repeated with the same rows (law L7). One
 * of which a record is refused is cut in half until the record at fault is alone; a transaction may end within a frame.
 */
export class Outbox {
  private readonly deps: OutboxDeps;
  private readonly origin: Origin;
  private readonly options: OutboxOptions;
  private readonly frames: Frame[] = [];
  /** Records of the first frame that are settled. */
  private settled = 0;
  private records = 0;
  private limit: number;
  private timer: Timer | undefined;
  private lingered = false;
  private sending = false;
  private flushing = false;

  constructor(deps: OutboxDeps, origin: Origin, options: OutboxOptions) {
    this.deps = deps;
    this.origin = origin;
    this.options = options;
    this.limit = options.maxRows;
  }

  get isEmpty(): boolean {
    return this.frames.length === 0 && !this.sending;
  }

  add(frame: Frame): void {
    this.frames.push(frame);
    this.records += frame.count;
    this.pump();
  }

  setFlushing(flushing: boolean): void {
    this.flushing = flushing;
    if (flushing) this.pump();
  }

  private pump(): void {
    if (this.frames.length === 0) return;
    const isDue = this.flushing || this.lingered || this.options.lingerMs <= 0 || this.records >= this.options.maxRows;
    // Also while a transaction is under way: what came meanwhile has then lingered already when it ends.
    if (!isDue) {
      this.timer ??= this.deps.clock.after(this.options.lingerMs, () => {
        this.timer = undefined;
        this.lingered = true;
        this.pump();
      });
    } else if (!this.sending) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    this.timer?.cancel();
    this.timer = undefined;
    this.lingered = false;
    try {
      if (this.deps.isCurrent(this.origin)) await this.publish(this.cut());
      else this.letGo();
    } catch (thrown) {
      // `sending` stays set: nothing may overtake what could not be sent.
      this.deps.settlement.fail(thrown);
      return;
    }
    this.sending = false;
    this.pump();
  }

  private async publish(cut: Cut): Promise<void> {
    const { deps, origin } = this;
    const { parts, nextOffset } = cut;
    const what = `broker, transaction of ${origin.topic}/${origin.partition}`;
    try {
      const published = await persist(deps, { what, kind: 'sink' }, async () =>
        deps.isCurrent(origin) ? deps.sink.publish({ origin, parts, nextOffset }) : 'lost',
      );
      if (published === 'committed') return this.settle(cut);
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || thrown.disposition !== 'dead-letter' || cut.lastFrame === undefined) {
        throw thrown;
      }
      if (cut.rows === 1) deps.refusals.refuse(cut.lastFrame, cut.lastRecord, thrown);
      else this.limit = cut.rows >> 1;
      // Nothing else comes before it: what is left over waits behind the same records.
      this.lingered = true;
      return;
    }
    if (deps.isCurrent(origin)) deps.onLost(origin);
    if (deps.isCurrent(origin)) {
      const said = `${origin.topic}/${origin.partition} is written for by another producer, and nobody began it anew`;
      throw new SluiceError('invariant-broken', `${said}; please report this`);
    }
    this.letGo();
  }

  private cut(): Cut {
    const { frames, options } = this;
    const parts: Part[] = [];
    const ofTopic = new Map<string, (RecordSlab | undefined)[]>();
    const slabOf = (topic: string, partition: number): RecordSlab => {
      let slabs = ofTopic.get(topic);
      if (slabs === undefined) {
        slabs = [];
        ofTopic.set(topic, slabs);
      }
      let rows = slabs[partition];
      if (rows === undefined) {
        rows = new RecordSlab(FIRST_RECORDS, FIRST_BYTES);
        slabs[partition] = rows;
        parts.push({ topic, partition, rows });
      }
      return rows;
    };
    let rows = 0;
    let bytes = 0;
    let lastFrame: Frame | undefined;
    let lastRecord = -1;
    for (let f = 0; f < frames.length; f++) {
      const frame = frames[f];
      for (let i = f === 0 ? this.settled : 0; i < frame.count; i++) {
        if (frame.fate[i] === DROPPED) continue;
        if (rows >= this.limit || bytes >= options.maxBytes) {
          const nextOffset = i === 0 ? frames[f - 1].nextOffset : frame.offsets[i];
          return { parts, nextOffset, rows, frames: f, into: i, lastFrame, lastRecord };
        }
        bytes += this.deps.append(frame, i, slabOf);
        rows++;
        lastFrame = frame;
        lastRecord = i;
      }
    }
    const { nextOffset } = frames[frames.length - 1];
    return { parts, nextOffset, rows, frames: frames.length, into: 0, lastFrame, lastRecord };
  }

  private settle(cut: Cut): void {
    const { frames } = this;
    this.limit = Math.min(this.options.maxRows, this.limit * 2);
    for (let f = 0; f < cut.frames; f++) this.settleRecords(frames[f], f === 0 ? this.settled : 0, frames[f].count);
    if (cut.into > 0) this.settleRecords(frames[cut.frames], cut.frames === 0 ? this.settled : 0, cut.into);
    frames.splice(0, cut.frames);
    this.settled = cut.into;
    // What a transaction left behind has waited long enough.
    if (cut.into > 0) this.lingered = true;
  }

  private settleRecords(frame: Frame, from: number, to: number): void {
    const { settlement, telemetry } = this.deps;
    let published = 0;
    let deadLettered = 0;
    let dropped = 0;
    for (let i = from; i < to; i++) {
      if (frame.fate[i] === OPEN) {
        frame.fate[i] = PUBLISHED;
        published++;
      } else if (frame.fate[i] === DEAD_LETTERED) {
        deadLettered++;
        settlement.deadLettered(frame, i);
        telemetry.event('dead-lettered', { source: sourceOf(frame, i), reason: REASONS[frame.reason[i]] });
      } else dropped++;
    }
    this.records -= to - from;
    settlement.settle(frame, published, deadLettered, dropped);
  }

  private letGo(): void {
    for (const frame of this.frames.splice(0)) this.deps.settlement.letGo(frame);
    this.settled = 0;
    this.records = 0;
  }
}
