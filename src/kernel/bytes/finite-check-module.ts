/**
 * A WebAssembly module with one function, assembled here: `check(at, rowBytes, rows, into)` over the memory `of.memory`. For each of
 * `rows` contiguous rows of float32 from byte `at`, it writes one byte from `into` on: 1 if a value of the row is NaN or infinite,
 * else 0. A row has at least sixteen bytes.
 *
 * The bits of a float32, doubled as an unsigned number (which drops the sign), are at least 0xff000000 exactly if it is not finite: all
 * bits of its exponent are set. So a vector of four is shifted once, and the maximum kept; the last vector of a row ends with the row,
 * and may overlap the one before.
 */

/** Numbers in instructions are in base 128; those here are below 2³¹, and signed ones are positive. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    const isLast = rest < 64;
    bytes.push((rest & 127) | (isLast ? 0 : 128));
    if (isLast) return bytes;
  }
}

const list = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const sized = (bytes: readonly number[]): number[] => [...leb(bytes.length), ...bytes];
const text = (of: string): number[] => sized([...Buffer.from(of)]);
const section = (id: number, body: readonly number[]): number[] => [id, ...sized(body)];

const I32 = 0x7f;
const V128 = 0x7b;
const FUNCTION = 0x60;
const EMPTY = 0x40;

const constant = (value: number): number[] => [0x41, ...leb(value)];
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const ADD = [0x6a];
const SUBTRACT = [0x6b];
const LESS = [0x49];
const AT_LEAST = [0x4f];
const SHIFT = [0x74];
const simd = (code: number): number[] => [0xfd, ...leb(code)];
const vectorAt = (offset: number): number[] => [...simd(0x00), 0, ...leb(offset)];
const SPLAT = simd(0x11);
const VECTOR_AT_LEAST = simd(0x40);
const ANY = simd(0x53);
const SHIFT_LEFT = [0xfd, 0xab, 0x01];
const LARGEST = [0xfd, 0xb9, 0x01];
const STORE_BYTE = [0x3a, 0, 0];
const END = [0x0b];

/** do … while(condition). */
const repeat = (condition: readonly number[], ...body: readonly number[][]): number[] => [
  ...[0x03, EMPTY],
  ...body.flat(),
  ...condition,
  ...[0x0d, 0],
  ...END,
];
const when = (condition: readonly number[], ...body: readonly number[][]): number[] => [
  ...condition,
  ...[0x04, EMPTY],
  ...body.flat(),
  ...END,
];

const [AT, ROW_BYTES, ROWS, INTO, ROW_END, LARGEST_SEEN, FROM] = [0, 1, 2, 3, 4, 5, 6];

/** The vector `offset` bytes behind what is on the stack becomes part of the largest seen. */
const look = (from: readonly number[], offset: number): number[] => [
  ...get(LARGEST_SEEN),
  ...from,
  ...vectorAt(offset),
  ...constant(1),
  ...SHIFT_LEFT,
  ...LARGEST,
  ...set(LARGEST_SEEN),
];
const move = (local: number, by: number): number[] => [...get(local), ...constant(by), ...ADD, ...set(local)];
const fits = (bytes: number): number[] => [...get(ROW_END), ...get(AT), ...SUBTRACT, ...constant(bytes), ...AT_LEAST];

const ROW: readonly number[][] = [
  [...get(AT), ...get(ROW_BYTES), ...ADD, ...set(ROW_END)],
  [...constant(0), ...SPLAT, ...set(LARGEST_SEEN)],
  when(fits(64), repeat(fits(64), ...[0, 16, 32, 48].map((offset) => look(get(AT), offset)), move(AT, 64))),
  when(fits(16), repeat(fits(16), look(get(AT), 0), move(AT, 16))),
  look([...get(ROW_END), ...constant(16), ...SUBTRACT], 0),
  [...get(INTO), ...get(LARGEST_SEEN)],
  [...constant(255), ...constant(24), ...SHIFT, ...SPLAT],
  [...VECTOR_AT_LEAST, ...ANY, ...STORE_BYTE],
  move(INTO, 1),
  [...get(ROW_END), ...set(AT)],
  [...get(FROM), ...constant(1), ...ADD, ...set(FROM)],
];
const BODY = when([...constant(0), ...get(ROWS), ...LESS], repeat([...get(FROM), ...get(ROWS), ...LESS], ...ROW));
const LOCALS = list([
  [1, I32],
  [1, V128],
  [1, I32],
]);

export const FINITE_CHECK_MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, list([[FUNCTION, ...list([[I32], [I32], [I32], [I32]]), ...list([])]])),
  ...section(2, list([[...text('of'), ...text('memory'), 2, 0, 0]])),
  ...section(3, list([[0]])),
  ...section(7, list([[...text('check'), 0, 0]])),
  ...section(10, list([sized([...LOCALS, ...BODY, ...END])])),
]);
