import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchMemory } from '../../../../../src/adapters/kafka/client/fetch-memory.ts';
import type { FetchedBatch, FetchedMessage } from '../../../../../src/adapters/kafka/client/internals.ts';

const LARGE = 1024 * 1024;

function batchIn(memory: FetchMemory, response: Buffer, columns = [memory.columnsFor(500)]): FetchedBatch {
  const rawMessages: FetchedMessage[] = [];
  memory.hold(rawMessages, response, columns);
  return {
    topic: 't',
    partition: 0,
    fetchedOffset: '0',
    highWatermark: '0',
    rawMessages,
    messages: [],
    lastOffset: () => '',
  };
}

test('a response is lent again when all of its batches were ended, each once', () => {
  const memory = new FetchMemory();
  const response = memory.response(LARGE);
  const batches = [batchIn(memory, response), batchIn(memory, response)];
  memory.begin(batches);
  memory.end(batches[0]);
  memory.end(batches[0]);
  assert.notEqual(memory.response(LARGE).buffer, response.buffer, 'one of them is looked at still');
  memory.end(batches[1]);
  const again = memory.response(LARGE - 5);
  assert.equal(again.buffer, response.buffer);
  assert.equal(again.length, LARGE - 5);
  assert.notEqual(memory.response(LARGE).buffer, response.buffer, 'lent to one at a time');
});

test('what the client dropped never comes back, nor does memory of somebody else', () => {
  const memory = new FetchMemory();
  const response = memory.response(LARGE);
  const [one, dropped] = [batchIn(memory, response), batchIn(memory, response)];
  memory.begin([one, dropped]);
  memory.end(one);
  assert.notEqual(memory.response(LARGE).buffer, response.buffer);

  const small = Buffer.from('of the memory that Node shares between small buffers');
  const other = batchIn(memory, small);
  memory.begin([other]);
  memory.end(other);
  for (const bytes of [1, 64 * 1024, LARGE]) assert.notEqual(memory.response(bytes).buffer, small.buffer);
});

test('columns come back with their batch, empty, and are as large as asked for, or twice that', () => {
  const memory = new FetchMemory();
  for (const rows of [1, 64, 65, 500, 4_096, 100_000]) {
    const { capacity } = memory.columnsFor(rows);
    assert.ok(capacity >= rows && capacity <= Math.max(64, 2 * rows), `${capacity} for ${rows}`);
  }
  const columns = memory.columnsFor(500);
  columns.count = 500;
  const batch = batchIn(memory, memory.response(LARGE), [columns]);
  memory.begin([batch]);
  assert.notEqual(memory.columnsFor(500), columns);
  memory.end(batch);
  const again = memory.columnsFor(400);
  assert.equal(again, columns);
  assert.equal(again.count, 0);
});

test('what is kept is bounded, in responses and in columns', () => {
  const memory = new FetchMemory();
  const responses = Array.from({ length: 100 }, () => memory.response(LARGE));
  const columns = Array.from({ length: 100 }, () => memory.columnsFor(4_096));
  const batches = responses.map((response, k) => batchIn(memory, response, [columns[k]]));
  memory.begin(batches);
  for (const batch of batches) memory.end(batch);
  const before = new Set<object>([...columns, ...responses.map(({ buffer }) => buffer)]);
  const isKept = (thing: object): boolean => before.delete(thing);
  assert.equal(columns.filter(() => isKept(memory.columnsFor(4_096))).length, 64);
  assert.equal(responses.filter(() => isKept(memory.response(LARGE).buffer)).length, 32);
});

test('a response that frames lie in is lent again when they are settled and its batches ended, in whatever order', () => {
  for (const framesFirst of [true, false]) {
    const memory = new FetchMemory();
    const response = memory.response(LARGE);
    const batch = batchIn(memory, response);
    memory.begin([batch]);
    const givesBack = [memory.borrow(batch, response.subarray(100)), memory.borrow(batch, response)];
    const steps = givesBack.map((give) => give ?? assert.fail('it is of there'));
    if (framesFirst) steps.push(() => memory.end(batch));
    else memory.end(batch);
    for (const step of steps) {
      assert.notEqual(memory.response(LARGE).buffer, response.buffer);
      step();
    }
    assert.equal(memory.response(LARGE).buffer, response.buffer);
  }
});

test('nothing is borrowed of memory that the batch does not lie in, that is not of there, or whose batch was ended', () => {
  const memory = new FetchMemory();
  const response = memory.response(LARGE);
  const batch = batchIn(memory, response);
  memory.begin([batch]);
  assert.equal(memory.borrow(batch, memory.response(LARGE)), undefined, 'of another fetch');
  assert.equal(memory.borrow(batch, Buffer.alloc(LARGE)), undefined, 'inflated');
  memory.end(batch);
  assert.equal(memory.borrow(batch, response), undefined);
  const small = memory.response(1_000);
  const other = batchIn(memory, small);
  memory.begin([other]);
  assert.equal(memory.borrow(other, small), undefined);
});

test('so much may be borrowed at a time, and again when it is back', () => {
  const memory = new FetchMemory();
  const open: { readonly give: () => void; readonly batch: FetchedBatch }[] = [];
  const next = () => {
    const response = memory.response(4 * LARGE);
    const batch = batchIn(memory, response);
    memory.begin([batch]);
    const give = memory.borrow(batch, response);
    if (give !== undefined) open.push({ give, batch });
    return give;
  };
  while (next() !== undefined) assert.ok(open.length <= 6, '24 MiB');
  assert.equal(open.length, 6);
  const spare = memory.response(4 * LARGE);
  const copied = batchIn(memory, spare);
  memory.begin([copied]);
  memory.end(copied);
  assert.equal(memory.response(4 * LARGE).buffer, spare.buffer, 'the rest is for the next responses');
  const { give, batch } = open[3];
  assert.equal(typeof memory.borrow(batch, memory.response(LARGE)), 'undefined');
  give();
  assert.equal(next(), undefined, 'its batch is not ended');
  memory.end(batch);
  assert.notEqual(next(), undefined);
});
