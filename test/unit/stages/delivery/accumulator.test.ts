import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { encodeHeaders } from '../../../../src/kernel/headers.ts';
import type { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import { Accumulator, type Chunk } from '../../../../src/stages/delivery/accumulator.ts';
import { Linger } from '../../../../src/stages/delivery/linger.ts';
import { FakeSink, Gate } from '../../../fixtures/fakes.ts';
import { emptyRecords } from '../../../fixtures/frames.ts';
import { ORIGIN, stageDeps } from '../../../fixtures/stage-deps.ts';

const LINGER_MS = 10;
const NO_HEADERS = encodeHeaders([]);

interface Options {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  readonly lingerMs?: number;
  readonly spare?: Chunk[];
}

function start({ maxRecords = 500, maxBytes = 256 * 1024, lingerMs = LINGER_MS, spare }: Options = {}) {
  const deps = stageDeps();
  const sink = new FakeSink();
  /** Values of each call that was made, and of each that was acknowledged. */
  const calls: string[][] = [];
  const events: string[] = [];
  let next = 0;
  let answer: FakeSink['before'] = () => undefined;
  sink.before = (topic, partition, rows) => {
    calls.push(rows.map(({ value }) => String(value)));
    return answer(topic, partition, rows);
  };
  const frames = [emptyRecords(ORIGIN, 0, 2_000), emptyRecords(ORIGIN, 2_000, 2_000)];
  const accumulator = new Accumulator(
    { ...deps, sink },
    {
      topic: 'out',
      partition: 3,
      maxRecords,
      maxBytes,
      linger: new Linger(deps.clock, { sparseMs: lingerMs, denseMs: 4 * lingerMs }),
      spare,
      onAcknowledged: (chunk) => events.push(`acknowledged ${named(chunk).join(' ')}`),
      onUnpublishable: (frame, record, error) => events.push(`unpublishable ${frame.offsets[record]} ${error.code}`),
      onFailed: (error) => events.push(`failed ${(error as Error).message}`),
    },
  );
  return {
    deps,
    sink,
    calls,
    events,
    accumulator,
    answers(by: FakeSink['before']): void {
      answer = by;
    },
    /** Appends rows whose values are their numbers, then pumps. */
    add(count: number, size = 0): void {
      for (let n = 0; n < count; n++) {
        const record = next++;
        const frame = frames[record < 1_000 ? 0 : 1];
        accumulator.slab().append(0, null, Buffer.from(String(record).padEnd(size, '.')), NO_HEADERS);
        accumulator.appended(frame, record < 1_000 ? record : record - 1_000);
      }
      accumulator.pump();
    },
  };
}

/** The offsets that a chunk's spans stand for. */
function named({ spans, records }: Chunk): number[] {
  return spans.flatMap(({ frame, firstRow, rows }) =>
    Array.from(records.slice(firstRow, firstRow + rows), (record) => frame.offsets[record]),
  );
}

function numbers(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => String(from + n));
}

test('rows linger for more, then leave together', async () => {
  const { deps, calls, events, add } = start();
  add(2);
  await deps.clock.advance(LINGER_MS - 1);
  add(1);
  assert.deepEqual(calls, []);
  await deps.clock.advance(1);
  assert.deepEqual(calls, [numbers(0, 3)]);
  assert.deepEqual(events, ['acknowledged 0 1 2']);
  assert.equal(deps.clock.timers, 0);
});

test('a chunk leaves at once when it has its records or its bytes; what is over waits for its own time', async () => {
  const full = start();
  full.add(501);
  await full.deps.clock.advance(0);
  assert.deepEqual(
    full.calls.map((rows) => rows.length),
    [500],
  );
  await full.deps.clock.advance(LINGER_MS);
  assert.deepEqual(
    full.calls.map((rows) => rows.length),
    [500, 1],
  );

  const large = start();
  large.add(5, 100 * 1024);
  await large.deps.clock.advance(0);
  assert.deepEqual(
    large.calls.map((rows) => rows.length),
    [3],
    'full with the row that reaches 256 KiB',
  );
});

test('one call in flight; no row lingers longer because a call is under way', async () => {
  const { deps, calls, add, answers } = start({ maxRecords: 4 });
  const gate = new Gate();
  gate.close();
  answers(() => gate.through());
  add(4);
  await deps.clock.advance(0);
  add(9);
  await deps.clock.advance(LINGER_MS + 1);
  assert.equal(calls.length, 1, 'the next call waits for this one');
  answers(() => undefined);
  gate.open();
  await deps.clock.advance(0);
  assert.deepEqual(
    calls,
    [numbers(0, 4), numbers(4, 4), numbers(8, 4), numbers(12, 1)],
    'in order, without a further wait',
  );
});

test('what comes densely waits on, to be full; what does not leaves after the short time', async () => {
  const dense = start();
  dense.add(64);
  await dense.deps.clock.advance(4 * LINGER_MS - 1);
  assert.deepEqual(dense.calls, []);
  await dense.deps.clock.advance(1);
  assert.deepEqual(dense.calls, [numbers(0, 64)]);

  const sparse = start();
  sparse.add(63);
  await sparse.deps.clock.advance(LINGER_MS);
  assert.deepEqual(sparse.calls, [numbers(0, 63)]);
});

test('without a linger, and while flushing, rows leave at once', async () => {
  const none = start({ lingerMs: 0 });
  none.add(1);
  await none.deps.clock.advance(0);
  assert.equal(none.calls.length, 1);

  const { deps, calls, accumulator, add } = start();
  add(2);
  accumulator.setFlushing(true);
  await deps.clock.advance(0);
  add(1);
  await deps.clock.advance(0);
  assert.deepEqual(calls, [numbers(0, 2), numbers(2, 1)]);
  accumulator.setFlushing(false);
  add(1);
  await deps.clock.advance(LINGER_MS - 1);
  assert.equal(calls.length, 2);
});

test('a failed call is repeated with the same rows, and nothing overtakes it', async () => {
  const { deps, calls, events, add, answers } = start({ maxRecords: 2, lingerMs: 0 });
  let failures = 3;
  answers(() => {
    if (failures-- > 0) throw new SluiceError('broker-unavailable', 'no leader');
  });
  add(5);
  await deps.clock.advance(30_000);
  const [first, second, third] = [numbers(0, 2), numbers(2, 2), numbers(4, 1)];
  assert.deepEqual(calls, [first, first, first, first, second, third]);
  assert.deepEqual(events, ['acknowledged 0 1', 'acknowledged 2 3', 'acknowledged 4']);
  const labels = { what: 'sink', reason: 'broker-unavailable' };
  assert.equal(deps.telemetry.count('sluice_retries_total', labels), 3);
  assert.equal(deps.conditions.describe(), '');
});

test('a record that the broker will never take is found by halving; the others go, in order, each once', async () => {
  const { deps, sink, events, add, answers } = start({ maxRecords: 7, lingerMs: 0 });
  answers((_topic, _partition, rows) => {
    if (rows.some(({ value }) => value === '2' || value === '5'))
      throw new SluiceError('record-too-large', 'too large');
  });
  add(8);
  await deps.clock.advance(10);
  assert.deepEqual(
    sink.acknowledged.map(({ value }) => value),
    ['0', '1', '3', '4', '6', '7'],
  );
  const refused = events.filter((event) => event.startsWith('unpublishable'));
  assert.deepEqual(refused, ['unpublishable 2 record-too-large', 'unpublishable 5 record-too-large']);
});

test('acknowledgements name the records of each frame, also of the parts of a halved chunk', async () => {
  const { deps, events, add, answers } = start({ maxRecords: 2_000, lingerMs: 0 });
  answers((_topic, _partition, rows) => {
    if (rows.length > 600) throw new SluiceError('record-too-large', 'the request is too large');
  });
  add(1_100);
  await deps.clock.advance(10);
  const acknowledged = events.flatMap((event) => event.split(' ').slice(1).map(Number));
  // Record 1,000 is the first of the second frame, whose offsets begin at 2,000.
  const expected = Array.from({ length: 1_100 }, (_, n) => (n < 1_000 ? n : n + 1_000));
  assert.deepEqual(acknowledged, expected);
  assert.equal(events.length, 2);
});

test('a failure for good is reported once, and nothing follows what could not be sent', async () => {
  const { deps, calls, events, add, answers } = start({ maxRecords: 2, lingerMs: 0 });
  answers(() => {
    throw new SluiceError('broker-refused', 'not authorised');
  });
  add(5);
  await deps.clock.advance(60_000);
  add(1);
  await deps.clock.advance(60_000);
  assert.deepEqual([calls, events], [[numbers(0, 2)], ['failed not authorised']]);
});

test('after the pipeline has given up nothing is sent any more', async () => {
  const { deps, calls, events, add } = start();
  add(3);
  deps.giveUp();
  await deps.clock.advance(60_000);
  assert.deepEqual(calls, []);
  assert.equal(events.length, 1);
  assert.match(events[0], /^failed .*broker out\/3/);
});

test('a chunk is filled again once its only call was answered; after one that failed it is not', async () => {
  const spare: Chunk[] = [];
  const { deps, accumulator, add, answers } = start({ lingerMs: 0, spare });
  const slabs: RecordSlab[] = [];
  const fill = async (): Promise<void> => {
    slabs.push(accumulator.slab());
    add(1);
    await deps.clock.advance(0);
  };
  await fill();
  await fill();
  assert.equal(slabs[1], slabs[0]);
  assert.equal(spare.length, 1);
  let failures = 1;
  answers(() => {
    if (failures-- > 0) throw new SluiceError('broker-unavailable', 'no answer');
  });
  await fill();
  await deps.clock.advance(60_000);
  await deps.clock.advance(0);
  await fill();
  assert.equal(slabs[2], slabs[0]);
  assert.notEqual(slabs[3], slabs[0], 'the first call may read it still');
});
