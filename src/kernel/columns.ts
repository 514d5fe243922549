import { floatRows } from './bytes/finite-rows.ts';

/**
 * Columns: one entry per record, typed arrays, no object per record.
 *
 * | kind   | entry of record i                                              | missing            |
 * |--------|----------------------------------------------------------------|--------------------|
 * | number | values[i]                                                      | NaN                |
 * | long   | values[i]; words[2i] low and words[2i+1] high half (no BigInt) | present[i] === 0   |
 * | string | bytes[start[i] .. end[i])  as UTF-8                            | start[i] === -1    |
 * | vector | values[i*width .. (i+1)*width), float32 where all are           | present[i] === 0   |
 * | raw    | bytes[start[i] .. end[i])  in Avro's binary encoding            | never, once read   |
 * | label  | labels[codes[i]], a constant of the bundle, UTF-8              | codes[i] === -1    |
 */
export type Column = NumberColumn | LongColumn | StringColumn | VectorColumn | LabelColumn | RawColumn;
export type ColumnKind = Column['kind'];

export interface NumberColumn {
  readonly kind: 'number';
  readonly values: Float64Array;
}

/** 64-bit integers that are passed through: read and written as halves, because a BigInt is an object. Little-endian hosts. */
export interface LongColumn {
  readonly kind: 'long';
  readonly values: BigInt64Array;
  readonly words: Int32Array;
  readonly present: Uint8Array;
}

export interface StringColumn {
  readonly kind: 'string';
  /** The frame's arena, or a slab of the decoder's where text had to be unescaped. */
  bytes: Buffer;
  readonly start: Int32Array;
  readonly end: Int32Array;
}

export interface VectorColumn {
  readonly kind: 'vector';
  readonly width: number;
  /** Float32Array where no value can be other than a float32: half the memory, and the layout that bytes come and tensors go in. */
  readonly values: Float64Array | Float32Array;
  readonly present: Uint8Array;
}

/** Values that are passed on as a whole, of the type in the event's schema; null is a value too. The column owns the bytes. */
export interface RawColumn {
  readonly kind: 'raw';
  bytes: Buffer;
  view: DataView;
  used: number;
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** Where the entry being written must end, and whether it went beyond. */
  limit: number;
  isOver: boolean;
}

export interface LabelColumn {
  readonly kind: 'label';
  readonly labels: readonly Buffer[];
  readonly codes: Int32Array;
}

const NO_BYTES = Buffer.alloc(0);

export function numberColumn(count: number): NumberColumn {
  return { kind: 'number', values: new Float64Array(count).fill(Number.NaN) };
}

export function longColumn(count: number): LongColumn {
  const values = new BigInt64Array(count);
  return { kind: 'long', values, words: new Int32Array(values.buffer), present: new Uint8Array(count) };
}

export function stringColumn(count: number, bytes: Buffer = NO_BYTES): StringColumn {
  return { kind: 'string', bytes, start: new Int32Array(count).fill(-1), end: new Int32Array(count) };
}

export function vectorColumn(count: number, width: number): VectorColumn {
  const values = new Float64Array(count * width).fill(Number.NaN);
  return { kind: 'vector', width, values, present: new Uint8Array(count) };
}

export function rawColumn(count: number, bytes: Buffer = NO_BYTES): RawColumn {
  return rawIn(bytes, new Int32Array(count).fill(-1), new Int32Array(count));
}

function rawIn(bytes: Buffer, start: Int32Array, end: Int32Array): RawColumn {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { kind: 'raw', bytes, view, used: 0, start, end, limit: 0, isOver: false };
}

/** Of float32. Entries of missing vectors are undefined until `blankMissing`. */
export function float32Column(count: number, width: number): VectorColumn {
  return { kind: 'vector', width, values: floatRows(count, width), present: new Uint8Array(count) };
}

/** Writes NaN where a vector is missing: once per frame, instead of filling memory that is overwritten anyway. */
export function blankMissing({ values, width, present }: VectorColumn): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 0) values.fill(Number.NaN, i * width, (i + 1) * width);
  }
}

/** The column's memory as bytes, if floats on the wire are laid out as in memory (little-endian hosts); otherwise undefined. */
export function float32Bytes({ values }: VectorColumn): Buffer | undefined {
  if (!(values instanceof Float32Array) || !LITTLE_ENDIAN) return undefined;
  return Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export function labelColumn(count: number, labels: readonly Buffer[]): LabelColumn {
  return { kind: 'label', labels, codes: new Int32Array(count).fill(-1) };
}

/**
 * The column as one of `count` entries with everything missing, in the same memory; values of vectors are what they were, see
 * `blankMissing`. Another object each time: whoever knows a column by identity, as text that was appended to it, does not know it.
 */
export function emptied(column: Column, count: number, bytes: Buffer = NO_BYTES): Column {
  switch (column.kind) {
    case 'number':
      return { kind: 'number', values: first(column.values, count).fill(Number.NaN) };
    case 'long':
      return {
        kind: 'long',
        values: first(column.values, count),
        words: first(column.words, 2 * count),
        present: first(column.present, count).fill(0),
      };
    case 'string':
      return {
        kind: 'string',
        bytes,
        start: first(column.start, count).fill(-1),
        end: first(column.end, count),
      };
    case 'vector': {
      const { width } = column;
      const values = first(column.values, count * width);
      return { kind: 'vector', width, values, present: first(column.present, count).fill(0) };
    }
    case 'raw':
      return rawIn(column.bytes, first(column.start, count).fill(-1), first(column.end, count));
    case 'label':
      return { ...column, codes: first(column.codes, count).fill(-1) };
  }
}

/** The column, or as much of it as has `count` entries. */
export function first<T extends Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array>(
  values: T,
  count: number,
): T {
  return values.length === count ? values : (values.subarray(0, count) as T);
}
