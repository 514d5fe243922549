import { writeInteger, writeUint } from '../digits.ts';

/**
 * Floating-point numbers as decimal text: the shortest that reads back to the same value. At most MAX_NUMBER_BYTES.
 */
export const MAX_NUMBER_BYTES = 32;

const POWERS = Float64Array.from({ length: 18 }, (_, exponent) => 10 ** exponent);

/** The shortest decimal that reads back to `value` as a float32; `value` must be finite and a float32. */
export function writeFloat32(into: Buffer, at: number, value: number): number {
  const size = Math.abs(value);
  if (size >= 1e-5 && size < 1e9) {
    for (let places = 0; places < POWERS.length; places++) {
      const digits = Math.round(size * POWERS[places]);
      if (digits > 0x7fffffff) break;
      if (Math.fround(digits / POWERS[places]) !== size) continue;
      if (value < 0) into[at++] = 0x2d;
      return writePoint(into, at, digits, places);
    }
  }
  if (size === 0) return writeFloat64(into, at, value);
  for (let precision = 1; precision < 9; precision++) {
    const rounded = Number(value.toPrecision(precision));
    if (Math.fround(rounded) === value) return writeFloat64(into, at, rounded);
  }
  return writeFloat64(into, at, Number(value.toPrecision(9)));
}

/** The shortest decimal that reads back to `value`, which must be finite. */
export function writeFloat64(into: Buffer, at: number, value: number): number {
  if (Number.isSafeInteger(value)) {
    if (value === 0 && 1 / value < 0) into[at++] = 0x2d;
    return writeInteger(into, at, value);
  }
  return at + into.write(String(value), at, 'latin1');
}

/** digits ÷ 10^places, with a digit before the point. */
function writePoint(into: Buffer, at: number, digits: number, places: number): number {
  const end = writeUint(into, at, digits, places + 1);
  if (places === 0) return end;
  for (let k = end; k > end - places; k--) into[k] = into[k - 1];
  into[end - places] = 0x2e;
  return end + 1;
}
