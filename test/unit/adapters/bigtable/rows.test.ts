import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/bigtable-api';
import fc from 'fast-check';
import { RowMerger } from '../../../../src/adapters/bigtable/rows.ts';
import { planFamilies } from '../../../../src/kernel/cells/feature-cells.ts';
import type { ViewSpec } from '../../../../src/kernel/cells/views.ts';

const { ReadRowsResponse } = protos.google.bigtable.v2;
type Chunk = protos.google.bigtable.v2.ReadRowsResponse.ICellChunk;

const VIEW: ViewSpec = {
  name: 'v',
  family: 'agg',
  columns: [
    { name: 'a', kind: 'number', width: 1, offset: 0 },
    { name: 'b', kind: 'number', width: 1, offset: 1 },
  ],
};
const KEYS = ['k1', 'k2', 'k3'].map((key) => Buffer.from(key));

function f32(...numbers: number[]): Buffer {
  return Buffer.from(Float32Array.from(numbers).buffer);
}

function f64(...numbers: number[]): Buffer {
  return Buffer.from(Float64Array.from(numbers).buffer);
}

function cell(key: string, qualifier: string, value: Buffer, more: Chunk = {}): Chunk {
  const rowKey = Buffer.from(key);
  return {
    rowKey,
    familyName: { value: 'agg' },
    qualifier: { value: Buffer.from(qualifier) },
    timestampMicros: 5_000_000,
    value,
    ...more,
  };
}

function merge(messages: readonly (readonly Chunk[])[], views: readonly ViewSpec[] = [VIEW]) {
  const into = { values: new Float64Array(6).fill(Number.NaN), writtenAtMs: new Float64Array(3).fill(Number.NaN) };
  const corrupt: number[] = [];
  const families = planFamilies('packed', views, () => {});
  const target = {
    families,
    keys: KEYS,
    viewCount: 1,
    rowWidth: 2,
    into,
    onCorrupt: (_: unknown, bytes: number) => corrupt.push(bytes),
  };
  const merger = new RowMerger(target, 0);
  // Through the wire's codec: what it hands over differs from what was put in (defaults, Long).
  for (const chunks of messages) {
    merger.add(ReadRowsResponse.decode(ReadRowsResponse.encode({ chunks: [...chunks] }).finish()).chunks);
  }
  merger.end();
  return { values: [...into.values], writtenAtMs: [...into.writtenAtMs], corrupt };
}

const NONE = Number.NaN;
const commitRow = true;

test('cells of eight bytes keep every bit: two float32, one float64, whole or in parts', () => {
  const double = { ...VIEW, columns: [VIEW.columns[0]] };
  const bits = Buffer.from('0102030405060708', 'hex');
  assert.deepEqual(merge([[cell('k1', 'f64:a', bits, { commitRow })]], [double]).values[0], bits.readDoubleLE());
  const pair = merge([[cell('k1', 'f32:a,b', bits, { commitRow })]]).values;
  assert.deepEqual(pair.slice(0, 2), [bits.readFloatLE(0), bits.readFloatLE(4)]);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 1, max: 15 }), (raw, cut) => {
      const value = Buffer.from(raw);
      const messages = [
        [cell('k1', 'f64:a,b', value.subarray(0, cut), { valueSize: 16 })],
        [{ value: value.subarray(cut), commitRow }],
      ];
      assert.deepEqual(merge(messages).values.slice(0, 2), [value.readDoubleLE(0), value.readDoubleLE(8)]);
    }),
  );
});

test('a row counts from its commit only: a reset forgets it', () => {
  const { values, writtenAtMs } = merge([
    [cell('k1', 'f32:a,b', f32(1, 2)), { resetRow: true }],
    [cell('k2', 'f32:a', f32(3), { commitRow })],
  ]);
  assert.deepEqual(values, [NONE, NONE, 3, NONE, NONE, NONE]);
  assert.deepEqual(writtenAtMs, [NONE, 5_000, NONE]);
});

test('a reset inside a split cell forgets its first part', () => {
  const messages = [
    [
      cell('k1', 'f32:a,b', Buffer.alloc(4), { valueSize: 8 }),
      { resetRow: true },
      cell('k1', 'f32:a,b', f32(1, 2), { commitRow }),
    ],
  ];
  assert.deepEqual(merge(messages).values.slice(0, 2), [1, 2]);
});

test('of two cells with one column the newer counts, in whichever order they come', () => {
  const older = { timestampMicros: 1_000_000 };
  for (const chunks of [
    [cell('k1', 'f32:a', f32(9)), cell('k1', 'f32:a,b', f32(1, 2), { ...older, commitRow })],
    [cell('k1', 'f32:a,b', f32(1, 2), older), cell('k1', 'f32:a', f32(9), { commitRow })],
  ]) {
    const { values, writtenAtMs } = merge([chunks]);
    assert.deepEqual(values.slice(0, 2), [9, 2]);
    assert.equal(writtenAtMs[0], 5_000);
  }
});

test('a cell of another length than its qualifier says is reported, and its numbers stay missing', () => {
  const { values, writtenAtMs, corrupt } = merge([[cell('k1', 'f32:a,b', f32(1, 2, 3), { commitRow })]]);
  assert.deepEqual(values.slice(0, 2), [NONE, NONE]);
  assert.ok(Number.isNaN(writtenAtMs[0]));
  assert.deepEqual(corrupt, [12]);
});

test('families, qualifiers and columns that nobody asks for are passed over', () => {
  const { values } = merge([
    [
      cell('k1', 'f32:a', f32(7), { familyName: { value: 'other' } }),
      cell('k1', 'note', Buffer.from('text')),
      cell('k1', 'f64:z[2],b', f64(8, 8, 4), { commitRow }),
    ],
  ]);
  assert.deepEqual(values.slice(0, 2), [NONE, 4]);
});

for (const [title, messages, complaint] of [
  ['ends inside a row', [[cell('k1', 'f32:a', f32(1))]], /ended inside a row/],
  [
    'begins a row inside another',
    [[cell('k1', 'f32:a', f32(1)), cell('k2', 'f32:a', f32(1))]],
    /before the one in front/,
  ],
  ['sends a row that was not asked for', [[cell('k9', 'f32:a', f32(1), { commitRow })]], /not asked for/],
  [
    'sends a row twice',
    [[cell('k1', 'f32:a', f32(1), { commitRow })], [cell('k1', 'f32:a', f32(1), { commitRow })]],
    /not asked for/,
  ],
  [
    'sends rows out of order',
    [[cell('k2', 'f32:a', f32(1), { commitRow }), cell('k1', 'f32:a', f32(1), { commitRow })]],
    /order/,
  ],
  ['sends a cell before any key', [[{ value: f32(1) }]], /without a key/],
  ['commits inside a cell', [[cell('k1', 'f32:a', f32(1), { valueSize: 8, commitRow })]], /inside a cell/],
] as const) {
  test(`a stream that ${title} is not believed`, () => {
    assert.throws(() => merge(messages), complaint);
  });
}
