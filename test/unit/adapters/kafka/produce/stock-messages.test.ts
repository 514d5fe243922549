import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { toMessages } from '../../../../../src/adapters/kafka/produce/stock-messages.ts';
import { encodeHeaders } from '../../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../../src/kernel/record-slab.ts';

test('rows become messages of one partition: views, nulls, times as text, headers by name', () => {
  const slab = new RecordSlab(2, 16);
  const header = (name: string, value: string | null) => ({ name, value: value === null ? null : Buffer.from(value) });
  const list = [header('a', '1'), header('b', '2'), header('a', '3'), header('__proto__', 'p'), header('n', null)];
  slab.append(5, Buffer.from('skipped'), null, null);
  slab.append(0, Buffer.from('k'), Buffer.from('v'), encodeHeaders(list));
  slab.append(-1, null, null, null);
  let nulls = 0;
  const [first, second, ...rest] = toMessages(slab, 1, 3, 7, () => {
    nulls++;
  });
  assert.equal(rest.length, 0);
  assert.equal(first.partition, 7);
  assert.equal(String(first.key), 'k');
  assert.equal((first.value as Buffer).buffer, slab.arena.buffer, 'no copy');
  assert.equal(first.timestamp, '0', 'as a number it would become the time of sending');
  const headers = Object.fromEntries(Object.entries(first.headers ?? {}).map(([name, value]) => [name, String(value)]));
  assert.deepEqual(Object.entries(headers), [
    ['a', '1,3'],
    ['b', '2'],
    ['__proto__', 'p'],
    ['n', ''],
  ]);
  assert.equal(nulls, 1);
  assert.deepEqual([second.key, second.value, second.timestamp, second.headers], [null, null, '-1', undefined]);
});

const block = (...headers: [string, string | null][]) =>
  encodeHeaders(headers.map(([name, value]) => ({ name, value: value === null ? null : Buffer.from(value) })));

test('what a row shares with the one before it is used again, what differs is not', () => {
  const slab = new RecordSlab(8, 16);
  const rows: [string, string | null][][] = [
    [
      ['source', 'a/0/9'],
      ['model', 'm@1'],
    ],
    [
      ['source', 'a/0/10'],
      ['model', 'm@1'],
    ],
    [
      ['source', 'a/0/11'],
      ['model', 'm@2'],
    ],
    [
      ['model', 'm@2'],
      ['source', 'a/0/12'],
    ],
    [['model', 'm@2']],
    [],
    [
      ['model', ''],
      ['constructor', 'c'],
      ['constructor', 'c'],
    ],
    [
      ['model', 'm@2'],
      ['source', null],
    ],
  ];
  for (const row of rows) slab.append(1, null, null, block(...row));
  const read = toMessages(slab, 0, rows.length, 0, () => undefined).map(({ headers }) =>
    Object.entries(headers ?? {}).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    ),
  );
  assert.deepEqual(
    read,
    rows.map((row) => row.map(([name, value]) => [name, value ?? ''])),
  );
});

test('the values of neighbours with the same headers are one view', () => {
  const slab = new RecordSlab(2, 16);
  for (const source of ['a/0/1', 'a/0/2']) slab.append(1, null, null, block(['source', source], ['model', 'm@1']));
  const [first, second] = toMessages(slab, 0, 2, 0, () => undefined);
  assert.equal(first.headers?.model, second.headers?.model);
});

test('a damaged header block is an error, not half a row', () => {
  const whole = block(['source', 'a/0/1'], ['model', 'm@1']);
  for (let length = 0; length < whole.length; length++) {
    const slab = new RecordSlab(1, 16);
    slab.append(1, null, null, whole.subarray(0, length));
    assert.throws(() => toMessages(slab, 0, 1, 0, () => undefined), RangeError);
  }
  const slab = new RecordSlab(1, 16);
  slab.append(1, null, null, Buffer.concat([whole, Buffer.from([0])]));
  assert.throws(() => toMessages(slab, 0, 1, 0, () => undefined), /goes on behind/);
});

test('the client groups them as it would have by itself', () => {
  const group: (options: object) => Record<string, unknown[]> = createRequire(import.meta.url)(
    'kafkajs/src/producer/groupMessagesPerPartition',
  );
  const slab = new RecordSlab(3, 16);
  for (const value of ['a', 'b', 'c']) slab.append(1, null, Buffer.from(value), null);
  const messages = toMessages(slab, 0, 3, 7, () => undefined);
  const partitioner = ({ message }: { message: { partition: number } }) => message.partition;
  const options = { topic: 't', partitionMetadata: [{}], partitioner };
  const ours = group({ ...options, messages });
  assert.deepEqual(ours, group({ ...options, messages: [...messages] }));
  assert.equal(ours[7], messages, 'not copied');
});
