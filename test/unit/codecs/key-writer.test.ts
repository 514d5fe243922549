import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_KEY_BYTES, parseKeyTemplate, writeKey } from '../../../src/codecs/key-template.ts';
import { createKeysWriter, type RecordKeys } from '../../../src/codecs/key-writer.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { DEAD_LETTERED } from '../../../src/kernel/fate.ts';
import { labels, longs, numbers, strings, vectors } from './support.ts';

const COUNT = 12;

const text = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('ATL', 'Zürich', 'a#b', '"', '\u2028', '') },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(MAX_KEY_BYTES), 'x'.repeat(MAX_KEY_BYTES - 4)) },
);
const times = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: COUNT, maxLength: COUNT });
const number = fc.constantFrom(0, -7, 42, 2 ** 40, 0.5, Number.NaN);
const column: fc.Arbitrary<Column> = fc.oneof(
  { weight: 4, arbitrary: times(text).map((values) => strings(...values)) },
  { weight: 1, arbitrary: times(number).map((values) => numbers(...values)) },
  { weight: 1, arbitrary: times(fc.constantFrom(0n, -1n, 2n ** 60n, null)).map((values) => longs(...values)) },
  { weight: 1, arbitrary: times(fc.constantFrom(-1, 0, 1)).map((codes) => labels(['low', ''], ...codes)) },
  { weight: 1, arbitrary: fc.constant(vectors(1, ...Array.from({ length: COUNT }, () => [1]))) },
);
const template = fc.array(fc.constantFrom('{a}', '{b}', '#', 'Zürich', '`$\\\n', '{{'), {
  minLength: 1,
  maxLength: 5,
});

test('writes all keys of a frame as writeKey writes each, for any kinds of columns', () => {
  fc.assert(
    fc.property(
      template,
      fc.array(fc.tuple(column, column, fc.nat(COUNT - 1)), { minLength: 1, maxLength: 3 }),
      (parts, frames) => {
        const parsed = parseKeyTemplate(parts.join(''), (field) => (field === 'a' ? 0 : 1));
        const write = createKeysWriter(parsed);
        const keys: RecordKeys = { bytes: Buffer.alloc(8), starts: new Int32Array(COUNT), ends: new Int32Array(COUNT) };
        for (const [a, b, dead] of frames) {
          const fate = new Uint8Array(COUNT);
          fate[dead] = DEAD_LETTERED;
          write([a, b], fate, COUNT, keys);
          for (let i = 0; i < COUNT; i++) {
            const into = Buffer.alloc(MAX_KEY_BYTES);
            const end = i === dead ? -1 : writeKey(parsed, [a, b], i, into, 0);
            if (end <= 0) assert.equal(keys.starts[i], -1);
            else assert.ok(keys.bytes.subarray(keys.starts[i], keys.ends[i]).equals(into.subarray(0, end)));
          }
        }
      },
    ),
    { seed: 3, numRuns: 100 },
  );
});
