import { anyMissing, type Block } from '../emit.ts';
import { isNumeric, type NumericValue, read, type StringValue, scalar, union, vector } from '../value.ts';
import { MAX_WIDTH } from './lookup.ts';
import type { Call, FunctionSpec } from './spec.ts';
import { textArgument } from './texts.ts';

/**
 * MurmurHash3 (32 bits) of text as UTF-8, and of numbers as the eight bytes of a little-endian float64. The first part is hashed with
 * seed 0; the hash of each part is the seed of the next. Any library with this function can produce the same columns.
 */
const MOST_BUCKETS = 2 ** 31;

const MISSING = 'A missing part gives missing.';

function hashOf(parts: readonly (NumericValue | StringValue)[], root: Block): { hash: string; gone: string } {
  let hash = '0';
  const gone: string[] = [];
  for (const part of parts) {
    if (part.kind === 'string') {
      const { bytes, start, end } = part.place(root);
      gone.push(`${start} < 0`);
      hash = root.bind(`$murmur(${bytes}, ${start}, ${end}, ${hash})`);
    } else {
      const atom = read(part, root, 0);
      gone.push(anyMissing(atom));
      const room = root.program.fixed('new Float64Array(1)');
      const bytes = root.program.fixed(`new Uint8Array(${room}.buffer)`);
      // Adding 0 turns -0 into 0: an equal number, and so the same bucket.
      hash = root.bind(`(${room}[0] = ${atom} + 0, $murmur(${bytes}, 0, 8, ${hash}))`);
    }
  }
  return { hash, gone: gone.join(' || ') };
}

function partsOf(call: Call): (NumericValue | StringValue)[] {
  return call.args.slice(0, -1).map((value, i) => (isNumeric(value) ? call.number(i) : textArgument(call, i)));
}

export const HASHING: readonly FunctionSpec[] = [
  {
    name: 'hashBucket',
    signature: 'hashBucket(x, …, n)',
    doc: 'A bucket from 0 to n - 1 for text or a number, without a vocabulary. Several x are hashed together: a cross of features. n is a constant.',
    formula:
      'MurmurHash3(x) mod n, unsigned, seed 0; text as UTF-8, a number as float64 little-endian, -0 as 0; the hash of one part is the seed of the next',
    missing: MISSING,
    example: { expression: 'hashBucket(event.carrier, 1000)', gives: 975, given: { carrier: 'DL' } },
    more: [
      { expression: 'hashBucket(event.carrier, event.hour, 1000)', gives: 867, given: { carrier: 'DL', hour: 7 } },
      { expression: 'hashBucket(event.carrier, 1000) ?? 1000', gives: 1000, given: { carrier: null } },
    ],
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const parts = partsOf(call);
      const n = call.integer(call.args.length - 1, 1, MOST_BUCKETS);
      return scalar(union(...parts.map(({ missing }) => missing)), (root) => {
        const { hash, gone } = hashOf(parts, root);
        return `(${gone} ? NaN : (${hash} >>> 0) % ${n})`;
      });
    },
  },
  {
    name: 'hashed',
    signature: 'hashed(x, …, n)',
    doc: 'n columns: 1 or -1 in one of them, 0 elsewhere; the sign is that of the hash, so that collisions tend to cancel rather than add up. To combine several fields, add their columns: hashed(a, 64) + hashed(b, 64).',
    formula: 'sign(h) in column |h| mod n, where h = MurmurHash3(x), signed',
    missing: 'A missing part gives missing throughout.',
    example: { expression: 'hashed(event.carrier, 4)', gives: [0, 0, 0, 1], given: { carrier: 'DL' } },
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const parts = partsOf(call);
      const n = call.integer(call.args.length - 1, 1, MAX_WIDTH);
      return vector(n, union(...parts.map(({ missing }) => missing)), (block, k) => {
        const { hash, gone } = hashOf(parts, block.root);
        const column = block.root.bind(`${gone} ? -1 : Math.abs(${hash}) % ${n}`);
        const sign = block.root.bind(`${hash} < 0 ? -1 : 1`);
        return `(${column} < 0 ? NaN : ${column} === ${k} ? ${sign} : 0)`;
      });
    },
  },
];

/** Set up only for programs that use it. Its results are signed 32-bit integers: small enough not to become objects. */
export const MURMUR_HELPER = [
  'const $murmur = (bytes, start, end, seed) => {',
  '  let h = seed | 0, p = start;',
  '  for (; p + 4 <= end; p += 4) {',
  '    let k = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);',
  '    k = Math.imul(k, 0xcc9e2d51);',
  '    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);',
  '    h ^= k;',
  '    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;',
  '  }',
  '  let k = 0;',
  '  if (end - p === 3) k ^= bytes[p + 2] << 16;',
  '  if (end - p >= 2) k ^= bytes[p + 1] << 8;',
  '  if (end - p >= 1) {',
  '    k = Math.imul(k ^ bytes[p], 0xcc9e2d51);',
  '    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);',
  '  }',
  '  h ^= end - start;',
  '  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);',
  '  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);',
  '  return h ^ (h >>> 16);',
  '};',
].join('\n');
