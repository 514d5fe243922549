import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_KEY_BYTES, parseKeyTemplate } from '../../src/codecs/key-template.ts';
import { murmur2 } from '../../src/kernel/bytes/murmur2.ts';
import { DEAD_LETTERED } from '../../src/kernel/fate.ts';
import { KeyTable } from '../../src/stages/features/keys.ts';
import { emptyRecords, textColumn } from '../fixtures/frames.ts';

const ORIGIN = { topic: 'in', partition: 0, epoch: 1 };
const TEMPLATE = parseKeyTemplate('{a}#{b}', (field) => (field === 'a' ? 0 : 1));

const part = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('ATL', 'JFK', 'Zürich', 'a', 'a#b', 'b') },
  {
    weight: 2,
    arbitrary: fc.string({ minLength: 1, maxLength: 5, unit: 'binary' }).map((text) => text.toWellFormed()),
  },
  { weight: 1, arbitrary: fc.constantFrom(null, '') },
  // Two of these are just too long for a key, one with a short part just fits.
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(MAX_KEY_BYTES - 2), 'x'.repeat(3_000)) },
);
const record = fc.record({ a: part, b: part });
const records = fc.array(fc.tuple(record, fc.nat(9)), { minLength: 1, maxLength: 300, size: 'max' });

/** What the key should be; undefined: missing. */
function keyOf(a: string | null, b: string | null): Buffer | undefined {
  if (a === null || b === null || a === '' || b === '') return undefined;
  const key = Buffer.from(`${a}#${b}`);
  return key.length > MAX_KEY_BYTES ? undefined : key;
}

test('each record points to its own key; each distinct key is stored once, missing ones not at all', () => {
  // One table for all frames, as a stage has it: nothing of an earlier frame may show.
  const table = new KeyTable(TEMPLATE);
  fc.assert(
    fc.property(records, (rows) => {
      const frame = emptyRecords(ORIGIN, 0, rows.length);
      frame.columns = [textColumn(rows.map(([{ a }]) => a)), textColumn(rows.map(([{ b }]) => b))];
      const closed = rows.map(([, dice]) => dice === 0);
      closed.forEach((yes, i) => {
        if (yes) frame.fate[i] = DEAD_LETTERED;
      });
      const index = table.gather(frame);
      assert.equal(index.length, rows.length);
      const distinct = new Map<string, number>();
      rows.forEach(([{ a, b }], i) => {
        const key = closed[i] ? undefined : keyOf(a, b);
        if (key === undefined) {
          assert.equal(index[i], 0);
          return;
        }
        const k = index[i] - 1;
        assert.ok(k >= 0 && k < table.distinct);
        assert.ok(table.copyKey(k).equals(key));
        assert.equal(table.hashes[k], murmur2(key, 0, key.length));
        assert.equal(distinct.get(key.toString('hex')) ?? k, k, 'one number a key');
        distinct.set(key.toString('hex'), k);
      });
      assert.equal(table.distinct, distinct.size);
    }),
    { seed: 7, numRuns: 150 },
  );
});

test('a frame larger than the table was made for fits too', () => {
  const table = new KeyTable(TEMPLATE);
  const count = 5_000;
  const frame = emptyRecords(ORIGIN, 0, count);
  const names = Array.from({ length: count }, (_, i) => `airport-${i % 4_999}-${'long'.repeat(20)}`);
  frame.columns = [textColumn(names), textColumn(names)];
  const index = table.gather(frame);
  assert.equal(table.distinct, 4_999);
  for (const [i, name] of names.entries()) assert.equal(table.copyKey(index[i] - 1).toString(), `${name}#${name}`);
});

test('a kept key has memory of its own, and does not keep a whole pool alive', () => {
  const table = new KeyTable(TEMPLATE);
  const frame = emptyRecords(ORIGIN, 0, 1);
  frame.columns = [textColumn(['x']), textColumn(['y'])];
  table.gather(frame);
  const key = table.copyKey(0);
  assert.equal(key.toString(), 'x#y');
  assert.equal(key.buffer.byteLength, key.length);
});

test('a key of one text field stays in the frame, and is counted like any other', () => {
  const table = new KeyTable(parseKeyTemplate('{a}', () => 0));
  const frame = emptyRecords(ORIGIN, 0, 8);
  const column = textColumn(['x', 'yy', null, '', 'x', 'z'.repeat(MAX_KEY_BYTES), 'z'.repeat(MAX_KEY_BYTES + 1), 'yy']);
  frame.columns = [column];
  frame.fate[7] = DEAD_LETTERED;
  assert.deepEqual([...table.gather(frame)], [1, 2, 0, 0, 1, 3, 0, 0]);
  assert.ok(column.kind === 'string' && table.bytes === column.bytes);
  assert.deepEqual(
    [0, 1].map((k) => table.copyKey(k).toString()),
    ['x', 'yy'],
  );
});
