import { RecordSlab } from './record-slab.ts';
import { BYTES_A_ROW as SLAB_BYTES_A_ROW } from './slab-columns.ts';

/** Memory of a source that all records of a frame lie in, in place of a copy. */
export interface Shared {
  readonly bytes: Buffer;
  /** The frame is settled, and nobody looks at it any more. */
  readonly giveBack: () => void;
}

/** Two float64, an int32 and two bytes. */
const BYTES_A_ROW = 2 * 8 + 4 + 2;

/** What a frame's records lie in: keys, values, headers with their ranges, and the columns beside them. */
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

/** Of memory that no frame has, so much is kept; an arena above the other bound is not. */
const KEEP_BYTES = 16 * 1024 * 1024;
const KEEP_ARENA_BYTES = 1024 * 1024;
/** Frames are of about one size, but not quite: arenas have an eighth more than the first frame that needed them … */
const SPARE = 8;
/** … and hold no frame that needs less than so much of them: the credit counts what the frame needs. */
const USED = 3 / 4;

/** Its columns too: a frame that lies in memory of its source has no arena. */
function bytesOf({ capacity, slab }: FrameMemory): number {
  return slab.arena.length + capacity * (BYTES_A_ROW + SLAB_BYTES_A_ROW);
}

/**
 * Memory of frames that are settled, for frames to come.
 *
 * Memory that is new for each frame is not on the heap, and all that V8 knows of it is when to collect: after 64 MB, a few
 * times a second, everything is marked for it (cause) → a tenth of all time, and no frame's memory in the processor's cache
 * (effect) → what was given back last is lent first (guard).
 * Promise: nothing of the frame before is left in what is lent. Limit: a third more than the frame's bytes may be held.
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

  /** Nobody looks at the frame any more. */
  give(memory: FrameMemory): void {
    const { capacity, slab } = memory;
    const bytes = bytesOf(memory);
    if (slab.arena.length > KEEP_ARENA_BYTES) return;
    if (this.kept + bytes > KEEP_BYTES) {
      // Of sizes that frames no longer have, perhaps.
      this.free.clear();
      this.kept = 0;
    }
    const others = this.free.get(capacity);
    if (others === undefined) this.free.set(capacity, [memory]);
    else others.push(memory);
    this.kept += bytes;
  }
}
