import type { Column } from '../kernel/columns.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';
import type { AvroType } from './avro/schema.ts';

/** A field that some part needs, and as what kind of column. A field wanted as two kinds has two slots. */
export interface ColumnWant {
  readonly field: string;
  /** raw: the whole value, to be passed on. */
  readonly kind: 'number' | 'long' | 'string' | 'vector' | 'raw';
  /** Values of a vector; 1 otherwise. */
  readonly width: number;
  /** For raw: the type of its bytes, which is the reader's. */
  readonly type?: AvroType;
}

/**
 * Values ↔ columns. A decoder is compiled once for a writer schema × wants, bound once a frame, called once for a run of records.
 * Promise: it returns for any bytes, in time and memory bounded by their number.
 */
export interface ValueDecoder {
  /** `columns[k]` belongs to `wants[k]` and is fresh (all missing). */
  bind(arena: Buffer, columns: readonly Column[]): RowDecoder;
  /** As bind, for many records per call. */
  bindRows(arena: Buffer, columns: readonly Column[]): RowsDecoder;
}

/** Decodes the value in arena[start..end) into entry `i`. False: not a value of this schema (entry `i` is then unspecified). */
export type RowDecoder = (start: number, end: number, i: number) => boolean;

/**
 * Decodes the values in arena[starts[i] + skip .. ends[i]) into entries `i`, for those in [from, to) whose fate is OPEN. Returns the
 * first that is not a value of this schema, or `to`; to continue, call again from the one after it.
 */
export type RowsDecoder = (
  starts: Int32Array,
  ends: Int32Array,
  skip: number,
  fate: Uint8Array,
  from: number,
  to: number,
) => number;

/** Where an output field's values come from. */
export type FieldSource =
  | { readonly from: 'event'; readonly slot: number }
  | { readonly from: 'prediction'; readonly slot: number }
  | { readonly from: 'constant'; readonly value: string | number };

export interface OutputField {
  readonly name: string;
  readonly source: FieldSource;
}

export interface ValueEncoder {
  bind(columns: readonly Column[], predictions: readonly Column[]): RowEncoder;
  /** As bind, for many records per call, with their keys. */
  bindBodies(columns: readonly Column[], predictions: readonly Column[]): BodiesEncoder;
}

/** Keys of records: record i's is bytes[starts[i]..ends[i]), or null if its start is -1. */
export interface BodyKeys {
  readonly bytes: DataView;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/**
 * Appends a body (see RecordSlab) for every record in [from, to) whose fate is OPEN: its key, then its value; `rows[i]` is its row.
 * Returns the first whose value does not fit the schema, leaving nothing of it in the slab, or `to`.
 */
export type BodiesEncoder = (
  keys: BodyKeys,
  timestamps: Float64Array,
  fate: Uint8Array,
  slab: RecordSlab,
  rows: Int32Array,
  from: number,
  to: number,
) => number;

/**
 * Appends record `i`'s value to the slab's arena (from `slab.used` on, moving `used`, growing by `slab.reserve`).
 * False: the values do not fit the schema (a null where none is allowed, out of range); `used` is then unchanged.
 */
export type RowEncoder = (i: number, slab: RecordSlab) => boolean;

/** A key made of text and fields: `"{origin}#{destination}"`. */
export interface KeyTemplate {
  readonly source: string;
  readonly parts: readonly KeyPart[];
}

export type KeyPart = { readonly text: Buffer } | { readonly slot: number };
