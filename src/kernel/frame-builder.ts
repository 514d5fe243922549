import { first } from './columns.ts';
import { DEAD_LETTERED, reasonCode } from './fate.ts';
import { Frame, type Origin } from './frame.ts';
import { FrameMemory, type FramePool, type Shared } from './frame-memory.ts';
import { type RecordRange, startOf } from './record-columns.ts';

const TOO_LARGE = reasonCode('too-large');
const UNREADABLE = reasonCode('batch-unreadable');

/**
 * Fills a frame from records in whatever form the source has them: one by one, or many at once, as they stand in a record batch.
 * Its size is fixed first: `capacity` records, and `arenaBytes` of keys, values and header blocks, or of whole records.
 */
export class FrameBuilder {
  private readonly origin: Origin;
  private readonly memory: FrameMemory;
  private readonly arena: Buffer;
  private readonly arenaBytes: number;
  private readonly capacity: number;
  private readonly pool: FramePool | undefined;
  private readonly shared: Shared | undefined;

  /**
   * With a pool, the frame's memory comes from it and returns to it when the frame is settled. With `shared`, all appended records are
   * ranges of that memory, which is given back likewise; `arenaBytes` is how much of it they take.
   */
  constructor(origin: Origin, capacity: number, arenaBytes: number, pool?: FramePool, shared?: Shared) {
    this.origin = origin;
    this.pool = pool;
    this.shared = shared;
    this.capacity = capacity;
    const own = shared === undefined ? arenaBytes : 0;
    this.memory = pool === undefined ? new FrameMemory(capacity, own) : pool.take(capacity, own);
    this.arena = this.memory.slab.arena;
    this.arenaBytes = arenaBytes;
  }

  get count(): number {
    return this.memory.slab.count;
  }

  /** Copies one record in. `headers` is a block in the record-batch layout, or null for none. */
  append(offset: number, timestampMs: number, key: Buffer | null, value: Buffer | null, headers: Buffer | null): void {
    const { slab, offsets, valueBytes } = this.memory;
    const i = slab.append(timestampMs, key, value, headers);
    offsets[i] = offset;
    valueBytes[i] = value === null ? 0 : value.length;
  }

  /** Copies the bytes of rows [from, to), framing included. Returns how far they were moved. */
  private copyIn(range: RecordRange, from: number, to: number): number {
    const { columns, bytes } = range;
    if (this.shared !== undefined) {
      if (bytes !== this.shared.bytes) throw new RangeError('records of a frame lie elsewhere than in what it shares');
      return 0;
    }
    const { slab } = this.memory;
    const start = startOf(range, from);
    const end = to === from ? start : columns.ends[to - 1];
    const shift = slab.reserve(end - start) - start;
    bytes.copy(slab.arena, shift + start, start, end);
    slab.used = shift + end;
    return shift;
  }

  /** Adds rows [from, to) of a range: with one copy or none, and with their ranges adjusted. */
  appendRange(range: RecordRange, from: number, to: number): void {
    const { columns } = range;
    const { slab, offsets, valueBytes } = this.memory;
    const shift = this.copyIn(range, from, to);
    const { timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = slab;
    const { keyStart: keyFrom, keyEnd: keyTo, valueStart: valueFrom, valueEnd: valueTo } = columns;
    const { headersStart: headersFrom, headersEnd: headersTo, offsets: offsetsFrom, timestamps: times } = columns;
    let row = slab.count;
    for (let i = from; i < to; i++, row++) {
      offsets[row] = offsetsFrom[i];
      timestamps[row] = times[i];
      const key = keyFrom[i];
      keyStart[row] = key < 0 ? -1 : key + shift;
      keyEnd[row] = key < 0 ? -1 : keyTo[i] + shift;
      const value = valueFrom[i];
      const valueEnds = valueTo[i];
      valueStart[row] = value < 0 ? -1 : value + shift;
      valueEnd[row] = value < 0 ? -1 : valueEnds + shift;
      valueBytes[row] = value < 0 ? 0 : valueEnds - value;
      const headers = headersFrom[i];
      headersStart[row] = headers < 0 ? -1 : headers + shift;
      headersEnd[row] = headers < 0 ? -1 : headersTo[i] + shift;
    }
    slab.count = row;
  }

  /** Adds a record that cannot be kept or read by reference (topic, partition, offset, size), without its body. */
  appendReference(
    offset: number,
    timestampMs: number,
    valueBytes: number,
    why: 'too-large' | 'batch-unreadable' = 'too-large',
  ): void {
    const { memory } = this;
    const i = memory.slab.append(timestampMs, null, null, null);
    memory.offsets[i] = offset;
    memory.valueBytes[i] = valueBytes;
    memory.fate[i] = DEAD_LETTERED;
    memory.reason[i] = why === 'too-large' ? TOO_LARGE : UNREADABLE;
  }

  /** Memory of a pool may be for some more records: the frame's columns are as long as it is. */
  build(nextOffset: number, receivedAtMs: number, receivedMonotonicMs: number): Frame {
    const { memory, pool, arenaBytes, shared } = this;
    const { slab } = memory;
    const { count } = slab;
    // A slab grows, the columns beside it do not: records beyond their length would be lost silently.
    if (slab.arena !== this.arena || slab.used > arenaBytes) {
      throw new RangeError('frame arena was sized too small for its records');
    }
    if (count > this.capacity) throw new RangeError('frame was sized too small for its records');
    return new Frame({
      origin: this.origin,
      count,
      bytes: arenaBytes,
      nextOffset,
      receivedAtMs,
      receivedMonotonicMs,
      offsets: first(memory.offsets, count),
      timestamps: first(slab.timestamps, count),
      arena: shared?.bytes ?? (slab.arena.length === arenaBytes ? slab.arena : slab.arena.subarray(0, arenaBytes)),
      keyStart: first(slab.keyStart, count),
      keyEnd: first(slab.keyEnd, count),
      valueStart: first(slab.valueStart, count),
      valueEnd: first(slab.valueEnd, count),
      headersStart: first(slab.headersStart, count),
      headersEnd: first(slab.headersEnd, count),
      valueBytes: first(memory.valueBytes, count),
      fate: first(memory.fate, count),
      reason: first(memory.reason, count),
      schemaId: first(memory.schemaId, count),
      giveBack:
        pool &&
        (() => {
          pool.give(memory);
          shared?.giveBack();
        }),
    });
  }
}
