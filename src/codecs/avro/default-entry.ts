import type { Column } from '../../kernel/columns.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { ColumnWant } from '../types.ts';
import { defaultBranch, encodeConstant } from './defaults.ts';
import { branchesOf, decimalOf, describe, isDuration, serves } from './fields.ts';
import { beginRaw, endRaw, rawBytes } from './raw-out.ts';
import { readUnscaled, UNSCALED } from './runtime.ts';
import type { AvroField, Decimal } from './schema.ts';

/** A field's default as a column's entry. */
export interface DefaultEntry {
  readonly number: number;
  /** The number as a long: low half, then high. */
  readonly low: number;
  readonly high: number;
  readonly text: Buffer;
  readonly vector: Float64Array;
}

const NOTHING: DefaultEntry = {
  number: Number.NaN,
  low: 0,
  high: 0,
  text: Buffer.alloc(0),
  vector: new Float64Array(0),
};

/**
 * The entry for a field that a record lacks; undefined: missing. Throws `contract-broken` if the default is not a value of the
 * field's type, or cannot be stored in such a column.
 */
export function defaultEntry(field: AvroField, want: ColumnWant): DefaultEntry | undefined {
  if (want.kind === 'raw') return { ...NOTHING, text: encodeConstant(field.type, field.default, field.name) };
  const branch = defaultBranch(field);
  if (branch.type === 'null') return undefined;
  const json = field.default;
  if (!serves(branch, want.kind)) {
    if (branchesOf(field.type).some((other) => serves(other, want.kind))) return undefined;
    throw unfit(field, want);
  }
  if (want.kind === 'string') return { ...NOTHING, text: Buffer.from(json as string) };
  if (want.kind !== 'vector') {
    const decimal = decimalOf(branch);
    const number =
      decimal !== undefined
        ? decimalValue(json as string, decimal)
        : branch.type === 'float'
          ? Math.fround(json as number)
          : Number(json);
    if (Number.isNaN(number)) throw unfit(field, want);
    const words = new Int32Array(2);
    if (want.kind === 'long') new BigInt64Array(words.buffer)[0] = BigInt(number);
    return { ...NOTHING, number, low: words[0], high: words[1] };
  }
  const vector =
    branch.type === 'array'
      ? Float64Array.from(json as number[])
      : isDuration(branch)
        ? Float64Array.from(new Uint32Array(new Uint8Array(Buffer.from(json as string, 'latin1')).buffer))
        : floats(json as string);
  if (branch.type === 'array' && branch.items.type === 'float') vector.set(new Float32Array(vector));
  if (vector.length !== want.width) throw unfit(field, want);
  return { ...NOTHING, vector };
}

/** Writes the default into entry `i`; in a string column its text begins at `textBase`. */
export function putDefault(column: Column, entry: DefaultEntry, textBase: number, i: number): void {
  switch (column.kind) {
    case 'number':
      column.values[i] = entry.number;
      return;
    case 'long':
      column.words[2 * i] = entry.low;
      column.words[2 * i + 1] = entry.high;
      column.present[i] = 1;
      return;
    case 'string':
      column.start[i] = textBase;
      column.end[i] = textBase + entry.text.length;
      return;
    case 'vector':
      column.values.set(entry.vector, i * column.width);
      column.present[i] = 1;
      return;
    case 'raw':
      beginRaw(column, i, entry.text.length);
      rawBytes(column, entry.text, 0, entry.text.length);
      endRaw(column, i);
  }
}

/** Undoes a value, for an object that names a field twice and gives null the second time. */
export function putMissing(column: Column, i: number): void {
  if (column.kind === 'number') column.values[i] = Number.NaN;
  else if (column.kind === 'string') column.start[i] = -1;
  else if (column.kind !== 'label' && column.kind !== 'raw') column.present[i] = 0;
}

/** The unscaled value whose bytes are these characters; NaN if there are none. */
function decimalValue(latin1: string, { scale }: Decimal): number {
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.length === 0) return Number.NaN;
  readUnscaled(bytes, 0, bytes.length);
  return UNSCALED[0] / 10 ** scale;
}

/** Characters as the bytes of little-endian float32; a length that is not a multiple of four gives a width that cannot match. */
function floats(latin1: string): Float64Array {
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.length % 4 !== 0) return new Float64Array(0);
  return Float64Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

function unfit(field: AvroField, want: ColumnWant): SluiceError {
  const as = want.kind === 'vector' ? `vector of ${want.width}` : want.kind;
  return new SluiceError(
    'contract-broken',
    `the default of field "${field.name}" (${describe(field.type)}), ${JSON.stringify(field.default)}, cannot be read as a ${as}`,
  );
}
