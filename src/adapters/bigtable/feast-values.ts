/**
 * Cells of Feast: a feast.types.Value of protobuf, a number or a list of numbers, read without its library.
 *
 * Promise: whatever the bytes, a reader gives as many numbers as it was made for, all NaN for a null, or null; it reads no
 * byte twice. Text, bytes and maps are no numbers, and are null. Limit: an integer beyond 2^53 is rounded.
 */
import type { CellFormat } from '../../kernel/cells/cell-numbers.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Field of Value → wire type of its number: int32, int64, double, float, bool, unix timestamp. Their lists are ten on. */
const SCALARS: Readonly<Record<number, number>> = {
  3: VARINT,
  4: VARINT,
  5: FIXED64,
  6: FIXED32,
  7: VARINT,
  8: VARINT,
};
const LISTS_ON = 10;
const NULL_FIELD = 19;
const FLOAT_FIELD = 6;
/** The longest varint, and a tag. */
const MAX_NUMBER_BYTES = 11;

export function feastFormat(width: number, isVector: boolean): CellFormat {
  const numbers = new Float64Array(width);
  return {
    maxBytes: (width + 2) * MAX_NUMBER_BYTES,
    expected: isVector ? `a list of ${width} numbers, as Feast writes it` : 'a number, as Feast writes it',
    decode(bytes) {
      const reader = new Reader(bytes);
      if (bytes.length === 0) return numbers.fill(Number.NaN);
      const tag = reader.varint();
      const [field, wire] = [Math.floor(tag / 8), tag % 8];
      if (field === NULL_FIELD) return numbers.fill(Number.NaN);
      const ok = isVector
        ? wire === BYTES && readList(reader, SCALARS[field - LISTS_ON], numbers)
        : wire === SCALARS[field] && readOne(reader, wire, numbers);
      return ok ? numbers : null;
    },
  };
}

function readOne(reader: Reader, wire: number, into: Float64Array): boolean {
  into[0] = reader.number(wire);
  return reader.at === reader.end;
}

/** The list's message: its field 1, packed or one by one. */
function readList(reader: Reader, wire: number | undefined, into: Float64Array): boolean {
  const length = reader.varint();
  if (wire === undefined || reader.at + length !== reader.end) return false;
  let count = 0;
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag !== 8 + BYTES && tag !== 8 + wire) return false;
    const until = tag === 8 + BYTES ? reader.varint() + reader.at : reader.at + 1;
    if (!(until <= reader.end)) return false;
    while (reader.at < until) {
      if (count === into.length) return false;
      into[count++] = reader.number(wire);
    }
    if (tag === 8 + BYTES && reader.at !== until) return false;
  }
  return reader.at === reader.end && count === into.length;
}

/** Beyond the end it reads NaN, and its place is no place any more. */
class Reader {
  at = 0;
  readonly end: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.end = bytes.length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  number(wire: number): number {
    if (wire === VARINT) return this.varint();
    const size = wire === FIXED64 ? 8 : 4;
    const at = this.at;
    this.at += size;
    if (this.at > this.end) return Number.NaN;
    return wire === FIXED64 ? this.view.getFloat64(at, true) : this.view.getFloat32(at, true);
  }

  /** Signed, 64 bits. */
  varint(): number {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) break;
      const byte = this.view.getUint8(this.at++);
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) return high * 4_294_967_296 + (low >>> 0);
    }
    this.at = Number.POSITIVE_INFINITY;
    return Number.NaN;
  }
}

/** float_val, or float_list_val for a vector. */
export function encodeFeast(numbers: Float64Array, isVector: boolean): Buffer {
  const floats = Buffer.from(Float32Array.from(numbers).buffer);
  if (!isVector) return Buffer.concat([Buffer.of(FLOAT_FIELD * 8 + FIXED32), floats]);
  const packed = Buffer.concat([Buffer.of(8 + BYTES), varint(floats.length), floats]);
  return Buffer.concat([varint((FLOAT_FIELD + LISTS_ON) * 8 + BYTES), varint(packed.length), packed]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  bytes.push(value);
  return Buffer.from(bytes);
}
