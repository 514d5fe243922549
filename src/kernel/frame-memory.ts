import { RecordSlab } from './record-slab.ts';
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

/** How much unused memory is kept; an arena above the other bound is not. */
const KEEP_BYTES = 16 * 1024 * 1024;
const KEEP_ARENA_BYTES = 1024 * 1024;
/** Frames are of similar but not equal size: an arena is an eighth larger than the first frame needed … */
const SPARE = 8;
/** … and is not used for a frame that needs less than this share of it, because the credit counts only what the frame needs. */
const USED = 3 / 4;

/** Its columns too: a frame that lies in memory of its source has no arena. */
function bytesOf({ capacity, slab }: FrameMemory): number {
  return slab.arena.length + capacity * (BYTES_A_ROW + SLAB_BYTES_A_ROW);
}

/**
 * Reuses the memory of settled frames for new ones.
 *
 * Memory that is new for each frame lies outside the heap, and makes V8 collect garbage: after every 64 MB, a few times a second,
 * the whole heap is marked (cause) → a tenth of all time, and no frame's memory in the processor's cache (effect) → what was
 * given back last is lent first (guard).
 * Promise: nothing of the previous frame is left in what is lent. Limit: up to a third more than the frame's bytes may be held.
 */
export class FramePool {
  private readonly free = new Map<number, FrameMemory[]>();
  private kept = 0;

  take(capacity: number, arenaBytes: number): FrameMemory {
    const found = this.free.get(capacity)?.pop();
    if (found !== undefined) this.kept -= bytesOf(found);
    const length = found?.slab.arena.length ?? 0;
    if (found === undefined || length < arenaBytes || length * USED > arenaBytes) {
      return new FrameMemory(capacity, arenaBytes + Math.floor(arenaBytes / SPARE));
    }
    found.slab.clear();
    found.fate.fill(0);
    found.reason.fill(0);
    return found;
  }

  /** Nobody reads the frame any longer. */
  give(memory: FrameMemory): void {
    const { capacity, slab } = memory;
    const bytes = bytesOf(memory);
    if (slab.arena.length > KEEP_ARENA_BYTES) return;
    if (this.kept + bytes > KEEP_BYTES) {
      // What is kept may be of sizes that frames no longer have.
      this.free.clear();
      this.kept = 0;
    }
    const others = this.free.get(capacity);
    if (others === undefined) this.free.set(capacity, [memory]);
    else others.push(memory);
    this.kept += bytes;
  }
}
