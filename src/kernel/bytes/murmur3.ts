/**
 * MurmurHash3, 128 bits for 64-bit machines, seed 0: what Feast names rows by. Source: A. Appleby's MurmurHash3_x64_128.
 *
 * 64-bit numbers are two 32-bit halves, because a BigInt a step would cost more than the read that the hash is for.
 */
let high = 0;
let low = 0;

/** The hash as 32 hexadecimal digits: both words, least significant byte first. */
export function murmur3Hex(bytes: Uint8Array): string {
  const length = bytes.length;
  const blocks = length >>> 4;
  let h1h = 0;
  let h1l = 0;
  let h2h = 0;
  let h2l = 0;
  for (let block = 0; block < blocks; block++) {
    const at = block * 16;
    mixFirst(word(bytes, at + 4, 4), word(bytes, at, 4));
    xor(h1h, h1l);
    rotate(27);
    add(h2h, h2l);
    timesFivePlus(0x52dce729);
    h1h = high;
    h1l = low;
    mixSecond(word(bytes, at + 12, 4), word(bytes, at + 8, 4));
    xor(h2h, h2l);
    rotate(31);
    add(h1h, h1l);
    timesFivePlus(0x38495ab5);
    h2h = high;
    h2l = low;
  }
  const tail = blocks * 16;
  const rest = length & 15;
  if (rest > 8) {
    mixSecond(word(bytes, tail + 12, rest - 12), word(bytes, tail + 8, rest - 8));
    h2h ^= high;
    h2l ^= low;
  }
  if (rest > 0) {
    mixFirst(word(bytes, tail + 4, rest - 4), word(bytes, tail, rest));
    h1h ^= high;
    h1l ^= low;
  }
  h1l ^= length;
  h2l ^= length;
  set(h1h, h1l);
  add(h2h, h2l);
  h1h = high;
  h1l = low;
  add(h2h, h2l);
  h2h = high;
  h2l = low;
  finish(h1h, h1l);
  h1h = high;
  h1l = low;
  finish(h2h, h2l);
  h2h = high;
  h2l = low;
  add(h1h, h1l);
  h1h = high;
  h1l = low;
  add(h2h, h2l);
  return hex(h1l) + hex(h1h) + hex(low) + hex(high);
}

/** Up to four bytes from `at`, least significant first; none where `count` is not above 0. */
function word(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = Math.min(4, count) - 1; i >= 0; i--) value = (value << 8) | bytes[at + i];
  return value;
}

function set(h: number, l: number): void {
  high = h;
  low = l;
}

function xor(h: number, l: number): void {
  high ^= h;
  low ^= l;
}

function add(h: number, l: number): void {
  const sum = (low >>> 0) + (l >>> 0);
  high = (high + h + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** By less than 32 bits. */
function rotate(by: number): void {
  const h = (high << by) | (low >>> (32 - by));
  low = (low << by) | (high >>> (32 - by));
  high = h;
}

function times(h: number, l: number): void {
  const [a, b] = [low >>> 16, low & 0xffff];
  const [c, d] = [l >>> 16, l & 0xffff];
  const bd = b * d;
  const middle = (bd >>> 16) + a * d;
  const other = (middle % 0x10000) + b * c;
  const carry = a * c + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
  high = (Math.imul(high, l) + Math.imul(low, h) + (carry | 0)) | 0;
  low = ((other & 0xffff) << 16) | (bd & 0xffff);
}

function timesFivePlus(constant: number): void {
  times(0, 5);
  add(0, constant);
}

/** k *= c1; k = rotl(k, 31); k *= c2. */
function mixFirst(h: number, l: number): void {
  set(h, l);
  times(0x87c37b91, 0x114253d5);
  rotate(31);
  times(0x4cf5ad43, 0x2745937f);
}

/** k *= c2; k = rotl(k, 33); k *= c1. */
function mixSecond(h: number, l: number): void {
  set(h, l);
  times(0x4cf5ad43, 0x2745937f);
  set(low, high);
  rotate(1);
  times(0x87c37b91, 0x114253d5);
}

function finish(h: number, l: number): void {
  set(h, l);
  xor(0, high >>> 1);
  times(0xff51afd7, 0xed558ccd);
  xor(0, high >>> 1);
  times(0xc4ceb9fe, 0x1a85ec53);
  xor(0, high >>> 1);
}

function hex(value: number): string {
  const swapped = ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff);
  return (swapped >>> 0).toString(16).padStart(8, '0');
}
