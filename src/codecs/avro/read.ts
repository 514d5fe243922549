import type { ColumnWant } from '../types.ts';
import { branchesOf, decimalOf, isDuration } from './fields.ts';
import { readAs } from './resolve.ts';
import type { RewriteWriter } from './rewrite.ts';
import type { AvroType, Decimal } from './schema.ts';
import { advance, readIndexCode, readLengthCode, type SkipWriter } from './skip.ts';

/** Leaves the function over records, returning the index of the faulty one. */
export const FAIL = 'return k;';

/** Where the symbols of an enum lie in the text that is appended to a string column; -1: unknown to the reader. */
export interface SymbolTable {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** What readCode needs from the compiler around it. */
export interface ReadTarget {
  readonly want: ColumnWant;
  /** Slot of the want: names its variables (c, w, p, s, e with this number). */
  readonly slot: number;
  readonly skips: SkipWriter;
  readonly rewrites: RewriteWriter;
  /** The value is a long that the previous want has read: it is in HALVES, and `at` is after it. */
  readonly isRead: boolean;
  /** Number of records around the value, as an expression. */
  readonly depth: string;
  /** Of a raw value: the value itself is never null, although the reader's type has null because of a field on the way. */
  readonly isStrict: boolean;
  /** Places the symbols of a writer's enum, in the reader's terms; returns the name of a variable that holds a SymbolTable. */
  symbols(written: AvroType, reader: AvroType): string;
}

/**
 * Statements that read one value of the writer's type into the want's column, as the reader's type. A value that cannot be
 * resolved (a branch that the reader lacks) leaves by FAIL. In scope: that of SkipWriter, `k`, `i`, `v`, the view `D`.
 */
export function readCode(written: AvroType, reader: AvroType, target: ReadTarget): string {
  if (target.want.kind === 'raw') return rawCode(written, reader, target);
  if (written.type === 'union') {
    let cases = '';
    for (const [index, branch] of branchesOf(written).entries()) {
      const body = readCode(branch, reader, target);
      if (body !== '') cases += `case ${index}: {\n${body}break; }\n`;
    }
    return `${readIndexCode(written.branches.length, FAIL)}switch (n) {\n${cases}}\n`;
  }
  const chosen = readAs(written, reader, target.want.kind);
  if (chosen === undefined) return `${FAIL}\n`;
  if (chosen.type === 'null') return target.skips.skip(written, FAIL, target.depth);
  switch (target.want.kind) {
    case 'number':
      return `${numberCode(written, chosen, target.isRead)}c${target.slot}[i] = v;\n`;
    case 'long':
      return longCode(written, target.slot, target.isRead);
    case 'string':
      return stringCode(written, chosen, target);
    default:
      return vectorCode(written, chosen, target);
  }
}

/** The whole value, in the reader's type. */
function rawCode(written: AvroType, reader: AvroType, { slot, rewrites, depth, isStrict }: ReadTarget): string {
  const one = (type: AvroType): string =>
    isStrict && type.type === 'null' ? `${FAIL}\n` : rewrites.rewrite(type, reader, FAIL, depth);
  const cases = (types: readonly AvroType[]): string =>
    types.map((type, index) => `case ${index}: {\n${one(type)}break; }\n`).join('');
  const whole =
    isStrict && written.type === 'union'
      ? `${readIndexCode(written.branches.length, FAIL)}switch (n) {\n${cases(written.branches)}}\n`
      : one(written);
  return `{
const O = o${slot};
beginRaw(O, i, ends[k] - starts[k]);
${whole}if (!endRaw(O, i)) ${FAIL}
}
`;
}

/** Reads a number into `v`, rounded to float32 if the reader says float. */
function numberCode(written: AvroType, reader: AvroType, isRead = false): string {
  const decimal = decimalOf(reader);
  if (decimal !== undefined) return decimalCode(written, decimal);
  const round = reader.type === 'float' ? 'v = Math.fround(v);\n' : '';
  switch (written.type) {
    case 'boolean':
      return `if (at >= end || (v = A[at++]) > 1) ${FAIL}\n`;
    case 'int':
      return `if (at < end && (n = A[at]) < 128) { at++; v = (n >> 1) ^ -(n & 1); }
else { if ((at = readInt(A, at, end)) < 0) ${FAIL} v = HALVES[0]; }
${round}`;
    case 'long':
      // An inexact number would pass for the long that was sent.
      return `${isRead ? '' : `if ((at = readLong(A, at, end)) < 0) ${FAIL}\n`}v = HALVES[1] * 4294967296 + (HALVES[0] >>> 0);
if (v > 9007199254740991 || v < -9007199254740991) ${FAIL}
${round}`;
    case 'float':
      return `${advance('4', FAIL)}v = D.getFloat32(at - 4, true);\n`;
    default:
      return `${advance('8', FAIL)}v = D.getFloat64(at - 8, true);\n`;
  }
}

/** One division by a power of ten: exact operands, up to 2^53 and 22 places, so the result is correctly rounded. */
function decimalCode(written: AvroType, { scale }: Decimal): string {
  const length =
    written.type === 'fixed' ? `n = ${written.size};\n${advance('n', FAIL)}` : `${readLengthCode(FAIL)}at += n;\n`;
  return `${length}if (n === 0) ${FAIL}
readUnscaled(A, at - n, at);
v = UNSCALED[0]${scale === 0 ? '' : ` / 1e${scale}`};
`;
}

function longCode(written: AvroType, slot: number, isRead: boolean): string {
  const read = written.type === 'int' ? 'readInt' : 'readLong';
  const high = written.type === 'int' ? 'HALVES[0] >> 31' : 'HALVES[1]';
  return `${isRead ? '' : `if ((at = ${read}(A, at, end)) < 0) ${FAIL}\n`}w${slot}[2 * i] = HALVES[0];
w${slot}[2 * i + 1] = ${high};
p${slot}[i] = 1;
`;
}

function stringCode(written: AvroType, reader: AvroType, target: ReadTarget): string {
  const { slot } = target;
  if (written.type === 'enum') {
    const table = target.symbols(written, reader);
    return `${readIndexCode(written.symbols.length, FAIL)}if (${table}.start[n] < 0) ${FAIL}
s${slot}[i] = b${slot} + ${table}.start[n];
e${slot}[i] = b${slot} + ${table}.end[n];
`;
  }
  return `${readLengthCode(FAIL)}if (!validUtf8(A, at, at + n)) ${FAIL}
s${slot}[i] = at;
e${slot}[i] = at += n;
`;
}

/** Above this width a native copy of a block of float32 is cheaper. Little-endian hosts, see float32Bytes. */
const MAX_ITEMWISE = 24;

/** An array's items, or bytes as little-endian float32; a number of items other than the want's width is not a value. */
function vectorCode(written: AvroType, reader: AvroType, target: ReadTarget): string {
  const { slot, skips } = target;
  const { width } = target.want;
  if (written.type === 'array') {
    const items = (reader as { readonly items: AvroType }).items;
    const filled = skips.fresh('f');
    const count = skips.fresh('c');
    const limit = skips.fresh('l');
    const whole =
      written.items.type === 'float' && items.type === 'float'
        ? `if (y${slot} !== undefined && ${count} > ${MAX_ITEMWISE}) {
A.copy(y${slot}, 4 * ${filled}, at, at += 4 * ${count});
${filled} += ${count};
} else `
        : '';
    return `let ${filled} = i * ${width};
for (;;) {
if ((at = readBlock(A, at, end, ${skips.leastBytes(written.items)})) < 0) ${FAIL}
let ${count} = BLOCK[0];
const ${limit} = BLOCK[1];
if (${count} === 0) break;
if (${count} > (i + 1) * ${width} - ${filled}) ${FAIL}
${whole}for (; ${count} > 0; ${count}--) {
${numberCode(written.items, items)}x${slot}[${filled}++] = v;
}
if (${limit} >= 0 && at !== ${limit}) ${FAIL}
}
if (${filled} !== (i + 1) * ${width}) ${FAIL}
p${slot}[i] = 1;
`;
  }
  const length =
    written.type === 'fixed' ? `n = ${written.size};\n${advance('n', FAIL)}` : `${readLengthCode(FAIL)}at += n;\n`;
  if (isDuration(reader)) {
    return `${length}for (n = 0; n < ${width}; n++) x${slot}[i * ${width} + n] = D.getUint32(at + 4 * (n - ${width}), true);
p${slot}[i] = 1;
`;
  }
  return `${length}if (n !== ${4 * width}) ${FAIL}
if (y${slot} !== undefined && ${width} > ${MAX_ITEMWISE}) A.copy(y${slot}, 4 * ${width} * i, at - ${4 * width}, at);
else for (n = 0; n < ${width}; n++) x${slot}[i * ${width} + n] = D.getFloat32(at + 4 * (n - ${width}), true);
p${slot}[i] = 1;
`;
}
