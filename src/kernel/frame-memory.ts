import { RecordSlab } from './record-slab.ts';
import { sizeFor } from './size-steps.ts';
import { BYTES_A_ROW as SLAB_BYTES_A_ROW } from './slab-columns.ts';

/** Memory of a source in which all records of a frame lie, instead of a copy. */
export interface Shared {
  readonly bytes: Buffer;
  /** The frame is settled, and nobody reads it any longer. */
  readonly giveBack: () => void;
}

/** Two float64, an int32 and two bytes. */
const BYTES_A_ROW = 2 * 8 + 4 + 2;

/** The memory of a frame: keys, values, headers with their ranges, and the columns beside them. */
export class FrameMemory {
  readonly capacity: number;
  readonly slab: RecordSlab;
  readonly offsets: Float64Array;
  readonly valueBytes: Float64Array;
  readonly schemaId: Int32Array;
  readonly fate: Uint8Array;
  readonly reason: Uint8Array;

  constructor(capacity: number, arenaBytes: number) {
    this.capacity = capacity;
    this.slab = new RecordSlab(capacity, arenaBytes);
    // One piece of memory for all columns, as in the slab.
    const rows = new ArrayBuffer(capacity * BYTES_A_ROW);
    this.offsets = new Float64Array(rows, 0, capacity);
    this.valueBytes = new Float64Array(rows, capacity * 8, capacity);
    this.schemaId = new Int32Array(rows, capacity * 16, capacity);
    this.fate = new Uint8Array(rows, capacity * 20, capacity);
    this.reason = new Uint8Array(rows, capacity * 21, capacity);
  }
}

/** An arena above this is not kept. */
const KEEP_ARENA_BYTES = 1024 * 1024;
const LEAST_ROWS = 16;
const LEAST_ARENA_BYTES = 16;
/** A number of its own for each pair of sizes: no arena that is kept is as long as this. */
const ARENAS = 2 * KEEP_ARENA_BYTES;

/** Its columns too: a frame that lies in memory of its source has no arena. */
function bytesOf({ capacity, slab }: FrameMemory): number {
  return slab.arena.length + capacity * (BYTES_A_ROW + SLAB_BYTES_A_ROW);
}

/**
 * Reuses the memory of settled frames for new ones.
 *
 * Memory that is new for each frame lies outside the heap and makes V8 collect garbage: after every 64 MB, the whole heap is
 * marked (cause) → a tenth of the CPU, pauses of tens of milliseconds, and no frame's memory in the processor's cache (effect) →
 * what was given back last is lent first (guard).
 * A backlog has more frames under way than usual, each of another size (cause) → nothing that is kept fits, the collections take
 * what would have worked it off, and it stays (effect) → sizes are few, and as much is kept as a backlog gives back (guard).
 *
 * Promise: a frame sees nothing of the one before it. Limits: up to `keepBytes` are kept unused; a frame holds
 * up to a quarter more than its bytes, which are what the credit counts, or LEAST_ARENA_BYTES more.
 */
export class FramePool {
  private readonly keepBytes: number;
  /** By size; what was given back last is of the last one. */
  private readonly free = new Map<number, FrameMemory[]>();
  private kept = 0;

  constructor(keepBytes: number) {
    this.keepBytes = keepBytes;
  }

  /** For `records` records or somewhat more. */
  take(records: number, arenaBytes: number): FrameMemory {
    const capacity = sizeFor(records, LEAST_ROWS);
    const length = arenaBytes === 0 ? 0 : sizeFor(arenaBytes, LEAST_ARENA_BYTES);
    const found = length > KEEP_ARENA_BYTES ? undefined : this.free.get(capacity * ARENAS + length)?.pop();
    if (found === undefined) return new FrameMemory(capacity, length);
    this.kept -= bytesOf(found);
    found.slab.clear();
    found.fate.fill(0);
    found.reason.fill(0);
    return found;
  }

  /** Nobody reads the frame any longer. */
  give(memory: FrameMemory): void {
    const { capacity, slab } = memory;
    const { length } = slab.arena;
    const bytes = bytesOf(memory);
    if (length > KEEP_ARENA_BYTES || bytes > this.keepBytes) return;
    const size = capacity * ARENAS + length;
    const others = this.free.get(size) ?? [];
    others.push(memory);
    this.free.delete(size);
    this.free.set(size, others);
    this.kept += bytes;
    this.shrink();
  }

  /** What is kept may be of sizes that frames no longer have: those go first. */
  private shrink(): void {
    for (const [size, frames] of this.free) {
      while (this.kept > this.keepBytes && frames.length > 0) this.kept -= bytesOf(frames.pop() as FrameMemory);
      if (frames.length > 0) return;
      this.free.delete(size);
    }
  }
}
