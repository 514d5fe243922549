import { SluiceError } from '../../kernel/errors.ts';
import type { Frame } from '../../kernel/frame.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';
import { persist } from '../outage.ts';
import type { StageDeps } from '../types.ts';
import type { Linger } from './linger.ts';

/** Which records of which frames the rows of a chunk are, span by span. */
export interface Span {
  readonly frame: Frame;
  readonly firstRow: number;
  rows: number;
}

export interface Chunk {
  readonly rows: RecordSlab;
  /** Row → record index within its frame. */
  records: Int32Array;
  readonly spans: Span[];
}

export interface AccumulatorOptions {
  readonly topic: string;
  readonly partition: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** What all accumulators of a sink share: whoever has lingered takes the others along. */
  readonly linger: Linger;
  /** The chunk is durable. */
  readonly onAcknowledged: (chunk: Chunk) => void;
  /** One record that the broker will never take. */
  readonly onUnpublishable: (frame: Frame, record: number, error: SluiceError) => void;
  readonly onFailed: (error: unknown) => void;
  /** Chunks that were sent and are free again; several accumulators may share them. */
  readonly spare?: Chunk[];
}

const FIRST_RECORDS = 64;
/** So many within the time that little lingers: some forty thousand a second, of one partition. */
const DENSE_RECORDS = 64;
const FIRST_BYTES = 16 * 1024;
const MAX_SPARE = 16;

/**
 * Rows on their way to one output partition: they leave when a chunk is full or has lingered, one call in flight, in order.
 *
 * A failed call is repeated with the same rows until it succeeds (law L7): the chunk behind it waits, so order holds.
 * A chunk that the broker will not take as it is (too large, or one record of it refused) is halved until the record at fault is alone.
 */
export class Accumulator {
  /** For whoever appends: it has to be pumped. */
  isTouched = false;
  private readonly deps: StageDeps & { readonly sink: Sink };
  private readonly options: AccumulatorOptions;
  private open: Chunk | undefined;
  private readonly full: Chunk[] = [];
  private sending = false;
  private lingered = false;
  private flushing = false;
  private lastRecords = FIRST_RECORDS;
  private lastBytes = FIRST_BYTES;

  constructor(deps: StageDeps & { readonly sink: Sink }, options: AccumulatorOptions) {
    this.deps = deps;
    this.options = options;
  }

  /** The slab to append one row to; call `appended` after it. */
  slab(): RecordSlab {
    this.open ??= this.begin();
    return this.open.rows;
  }

  /** The row last appended is record `record` of `frame`. */
  appended(frame: Frame, record: number): void {
    const chunk = this.open as Chunk;
    const row = chunk.rows.count - 1;
    if (row === chunk.records.length) chunk.records = grown(chunk.records);
    chunk.records[row] = record;
    const { spans } = chunk;
    const last = spans.length > 0 ? spans[spans.length - 1] : undefined;
    if (last !== undefined && last.frame === frame) last.rows++;
    else spans.push({ frame, firstRow: row, rows: 1 });
    if (chunk.rows.count >= this.options.maxRecords || chunk.rows.used >= this.options.maxBytes) this.close();
  }

  /** Called when the caller has nothing more to append for now. */
  pump(): void {
    // Also while a call is under way: rows that came meanwhile have then lingered already when it ends.
    const { linger } = this.options;
    if (this.open !== undefined && !this.flushing && !this.lingered && !linger.none) linger.arm(this);
    if (this.sending) return;
    if (this.full.length > 0) return void this.send(this.full.shift() as Chunk);
    if (this.open === undefined) return;
    if (this.flushing || this.lingered || linger.none) {
      this.close();
      return void this.send(this.full.shift() as Chunk);
    }
  }

  get isDense(): boolean {
    return this.open !== undefined && this.open.rows.count >= DENSE_RECORDS;
  }

  /** The open chunk has lingered. */
  expire(): void {
    this.lingered = true;
    this.pump();
  }

  setFlushing(flushing: boolean): void {
    this.flushing = flushing;
    if (flushing) this.pump();
  }

  /** As large as the last ones, which is what rate and linger make of them; chunks in flight keep their memory. */
  private begin(): Chunk {
    const spare = this.options.spare?.pop();
    if (spare !== undefined) return spare;
    const records = this.lastRecords;
    return { rows: new RecordSlab(records, this.lastBytes), records: new Int32Array(records), spans: [] };
  }

  private close(): void {
    this.options.linger.disarm(this);
    this.lingered = false;
    const chunk = this.open as Chunk;
    this.lastRecords = Math.max(FIRST_RECORDS, chunk.rows.count, this.lastRecords >> 1);
    this.lastBytes = Math.max(FIRST_BYTES, chunk.rows.used, this.lastBytes >> 1);
    this.full.push(chunk);
    this.open = undefined;
  }

  private async send(chunk: Chunk): Promise<void> {
    this.sending = true;
    try {
      await this.sendOrHalve(chunk);
    } catch (thrown) {
      // `sending` stays set: nothing may overtake what could not be sent.
      this.options.onFailed(thrown);
      return;
    }
    this.sending = false;
    this.pump();
  }

  private async sendOrHalve(chunk: Chunk): Promise<void> {
    const { topic, partition } = this.options;
    const { sink } = this.deps;
    let calls = 0;
    try {
      await persist(this.deps, { what: `broker ${topic}/${partition}`, kind: 'sink' }, () => {
        calls++;
        return sink.send(topic, partition, chunk.rows);
      });
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || thrown.disposition !== 'dead-letter') throw thrown;
      if (chunk.rows.count === 1) {
        this.options.onUnpublishable(chunk.spans[0].frame, chunk.records[0], thrown);
        return;
      }
      const middle = chunk.rows.count >> 1;
      await this.sendOrHalve(part(chunk, 0, middle));
      await this.sendOrHalve(part(chunk, middle, chunk.rows.count));
      return;
    }
    this.options.onAcknowledged(chunk);
    // A call that failed may still read them: nobody knows when it ends.
    if (calls === 1) this.keep(chunk);
  }

  /** What was given back last is lent first: it is in the processor's cache still. */
  private keep(chunk: Chunk): void {
    const { spare } = this.options;
    if (spare === undefined || spare.length >= MAX_SPARE || chunk.rows.arena.length > 2 * this.options.maxBytes) return;
    chunk.rows.clear();
    chunk.spans.length = 0;
    spare.push(chunk);
  }
}

/** Rows [from, to) of a chunk as a chunk of their own. */
function part(chunk: Chunk, from: number, to: number): Chunk {
  const rows = new RecordSlab(to - from, 1024);
  for (let row = from; row < to; row++) rows.appendRow(chunk.rows, row);
  const spans: Span[] = [];
  for (const span of chunk.spans) {
    const first = Math.max(span.firstRow, from);
    const end = Math.min(span.firstRow + span.rows, to);
    if (first < end) spans.push({ frame: span.frame, firstRow: first - from, rows: end - first });
  }
  return { rows, records: chunk.records.slice(from, to), spans };
}

function grown(records: Int32Array): Int32Array {
  const wider = new Int32Array(records.length * 2);
  wider.set(records);
  return wider;
}
