import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toMessages } from '../../../../src/adapters/kafka/messages.ts';
import { encodeHeaders } from '../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';

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
