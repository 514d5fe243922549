import type { Block } from './emit.ts';
import type { InputProgram } from './types.ts';

/**
 * The one cast: a float64 becomes an element of a slab. The storing code also records in `bad` (negative: dead-letter)
 * whether the value is not a finite number of the slab's type.
 *
 * Floats are checked after the cast, by their exponent bits: all ones plus one carries into the sign bit, an OR collects it,
 * and there is no dependency chain of float additions. Little-endian hosts. Integers are truncated, and checked before the cast.
 */
export interface DType {
  /** Code that creates a slab of `length` elements. */
  readonly slab: string;
  /** Bytes per element. */
  readonly bytes: number;
  /** Whether `store` needs the slab as 32-bit words, too. */
  readonly words: boolean;
  store(block: Block, slab: string, words: string, place: string, value: string): void;
}

function float(slab: string, bytes: number, word: (place: string) => string, ones: number): DType {
  const bit = ones & -ones;
  return {
    slab,
    bytes,
    words: true,
    store: (block, slabName, words, place, value) => {
      block.push(`${slabName}[${place}] = ${value};`);
      block.push(`bad |= (${words}[${word(place)}] & ${ones}) + ${bit};`);
    },
  };
}

function integer(slab: string, bytes: number, range: (x: string) => string, stored = (x: string) => x): DType {
  return {
    slab,
    bytes,
    words: false,
    store: (block, slabName, _words, place, value) => {
      const atom = block.bind(value);
      block.push(`${slabName}[${place}] = ${stored(atom)};`);
      block.push(`bad |= ${range(atom)} ? 0 : -1;`);
    },
  };
}

export const DTYPES: Readonly<Record<InputProgram['dtype'], DType>> = {
  float32: float('Float32Array', 4, (place) => place, 0x7f800000),
  float64: float('Float64Array', 8, (place) => `2 * (${place}) + 1`, 0x7ff00000),
  int32: integer('Int32Array', 4, (x) => `${x} > -2147483649 && ${x} < 2147483648`),
  uint8: integer('Uint8Array', 1, (x) => `${x} > -1 && ${x} < 256`),
  bool: integer(
    'Uint8Array',
    1,
    (x) => `${x} - ${x} === 0`,
    (x) => `${x} !== 0 ? 1 : 0`,
  ),
  // A BigInt for each value would be an object → two halves; both are exact for every float64 in range.
  int64: {
    slab: 'BigInt64Array',
    bytes: 8,
    words: true,
    store: (block, _slab, words, place, value) => {
      const atom = block.bind(value);
      const whole = block.bind(`Math.trunc(${atom})`);
      const high = block.bind(`Math.floor(${whole} / 4294967296)`);
      block.push(`${words}[2 * (${place})] = ${whole} - ${high} * 4294967296;`);
      block.push(`${words}[2 * (${place}) + 1] = ${high};`);
      block.push(`bad |= ${atom} >= -9223372036854775808 && ${atom} < 9223372036854775808 ? 0 : -1;`);
    },
  },
};
