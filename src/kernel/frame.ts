import type { Column } from './columns.ts';
import { OPEN } from './fate.ts';
import type { RecordSlab } from './record-slab.ts';

/** One ownership period of one partition. Frames of one epoch share one Origin object; compare it by identity. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
}

/** Feature rows that a frame's records point into, one set per read (table × key). Row 0 stands for an absent row: all NaN. */
export interface FeatureRows {
  /** Record → row. */
  readonly index: Int32Array;
  /** rows × rowWidth, NaN where missing. */
  readonly values: Float64Array;
  /** rows × views: when the store wrote the view, wall ms; NaN where row or view is absent, 0 where the store does not say. */
  readonly writtenAtMs: Float64Array;
}

const NOTHING_READ = new Float64Array(0);

/**
 * Up to about a thousand records of one partition that travel together, as columns.
 *
 * `arena` holds every key, value and header block, possibly with the framing between them in a record batch. It is either the frame's
 * own copy, so that no more memory is retained than `bytes` says, or memory of the source that other frames share (frame-memory.ts).
 * The fields below `schemaId` are empty until the stage named beside them has run.
 */
export class Frame {
  readonly origin: Origin;
  readonly count: number;
  /** What the credit was charged: arena bytes. */
  readonly bytes: number;
  /** The position to commit once every record is settled: beyond gaps too (compaction, control records). */
  readonly nextOffset: number;
  /** Clock readings when the records reached Sluice. */
  readonly receivedAtMs: number;
  readonly receivedMonotonicMs: number;

  readonly offsets: Float64Array;
  /** Wall ms, from producer or broker. */
  readonly timestamps: Float64Array;
  readonly arena: Buffer;
  /** Ranges into the arena; start -1 is null. Headers are in the record-batch layout, see headers.ts. */
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly headersStart: Int32Array;
  readonly headersEnd: Int32Array;
  /** Bytes the value had on arrival; differs from its range only where the record was too large to keep. */
  readonly valueBytes: Float64Array;

  readonly fate: Uint8Array;
  readonly reason: Uint8Array;
  /** Gives back the memory of all of the above. Only commit calls it, once the frame is settled and nobody reads it any longer. */
  readonly giveBack: (() => void) | undefined;
  /** Records that are not settled yet; counts down to 0 exactly once (law L1). */
  unsettled: number;

  /** Record → the stage that failed on it, for records with reason `stage-failed`; made with the first one. */
  failedIn: Map<number, string> | undefined = undefined;
  /** decode: writer schema id → why its records cannot be read; made with the first refusal. */
  refusals: Map<number, string> | undefined = undefined;
  /** decode: writer schema id per record, -1 where there is none. */
  readonly schemaId: Int32Array;
  /** decode: one column for every field the plan wants, by slot. */
  columns: readonly Column[] = [];
  /** Record → in which ways it was scored with less than asked for, see degraded.ts; undefined: none of them was. */
  degraded: Uint8Array | undefined = undefined;
  /** enrich: one entry per read of the plan. */
  reads: readonly FeatureRows[] = [];
  /**
   * enrich: record → when the oldest feature view that it uses was written, wall ms; NaN if it uses none, or the store does
   * not say. Empty if nothing is read.
   */
  featuresAtMs: Float64Array = NOTHING_READ;
  /** preprocess: records that go to the model, in order: row → record. */
  rows = 0;
  recordOf: Int32Array = new Int32Array(0);
  /** preprocess: one row-major slab (rows × width) per ONNX input, in the dtype of that input. */
  inputs: readonly Tensor[] = [];
  /** infer: one row-major slab (rows × width) per ONNX output that the plan asks for. */
  outputs: readonly Float64Array[] = [];
  /** infer: the model that scored this frame, NAME@VERSION#digest12. */
  model = '';
  /** postprocess: one column per named prediction, indexed by record; details: after those, one per column looked up. */
  predictions: readonly Column[] = [];
  /** encode: one output record an OPEN record, row = record index; see `encodedAs`. */
  encoded: RecordSlab | undefined = undefined;
  /** encode: record → row in `encoded`, -1 where none. */
  encodedAs: Int32Array = new Int32Array(0);

  constructor(fill: FrameFill) {
    this.origin = fill.origin;
    this.count = fill.count;
    this.bytes = fill.bytes;
    this.nextOffset = fill.nextOffset;
    this.receivedAtMs = fill.receivedAtMs;
    this.receivedMonotonicMs = fill.receivedMonotonicMs;
    this.offsets = fill.offsets;
    this.timestamps = fill.timestamps;
    this.arena = fill.arena;
    this.keyStart = fill.keyStart;
    this.keyEnd = fill.keyEnd;
    this.valueStart = fill.valueStart;
    this.valueEnd = fill.valueEnd;
    this.headersStart = fill.headersStart;
    this.headersEnd = fill.headersEnd;
    this.valueBytes = fill.valueBytes;
    this.fate = fill.fate;
    this.reason = fill.reason;
    this.schemaId = (fill.schemaId ?? new Int32Array(fill.count)).fill(-1);
    this.giveBack = fill.giveBack;
    this.unsettled = fill.count;
  }
}

export type Tensor = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

export type FrameFill = Pick<
  Frame,
  | 'origin'
  | 'count'
  | 'bytes'
  | 'nextOffset'
  | 'receivedAtMs'
  | 'receivedMonotonicMs'
  | 'offsets'
  | 'timestamps'
  | 'arena'
  | 'keyStart'
  | 'keyEnd'
  | 'valueStart'
  | 'valueEnd'
  | 'headersStart'
  | 'headersEnd'
  | 'valueBytes'
  | 'fate'
  | 'reason'
> &
  Partial<Pick<Frame, 'schemaId' | 'giveBack'>>;

/** Gives record `i` a fate other than OPEN, with its reason. The first fate stays: a record has one. */
export function decide(frame: Frame, i: number, fate: number, reason: number): void {
  if (frame.fate[i] !== OPEN) return;
  frame.fate[i] = fate;
  frame.reason[i] = reason;
}

/** Adds `how` to the bits of record `i` in `degraded`. */
export function degrade(frame: Frame, i: number, how: number): void {
  frame.degraded ??= new Uint8Array(frame.count);
  frame.degraded[i] |= how;
}
