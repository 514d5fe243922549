import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLedger } from '../../../../src/commands/bench/ledger.ts';
import { BENCH_HEADER, sendLoad } from '../../../../src/commands/bench/load.ts';
import { claimSent, startWatch } from '../../../../src/commands/bench/watch.ts';
import type { Clock } from '../../../../src/kernel/clock.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { decodeHeaders } from '../../../../src/kernel/headers.ts';
import type { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import type { Sink } from '../../../../src/ports/sink.ts';
import type { LogRecord, TopicLog } from '../../../../src/ports/topic-log.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

/** A broker with one topic of two partitions, at a fake clock's time; a call takes `callMs`. */
function brokerOf(clock: FakeClock, { callMs = 0, failing = 0 } = {}) {
  const partitions: LogRecord[][] = [[], []];
  let failures = failing;
  const sink: Sink = {
    open: async () => undefined,
    partitionCount: () => partitions.length,
    async send(_topic, partition, slab) {
      if (callMs > 0) await new Promise<void>((resolve) => void clock.after(callMs, resolve));
      if (failures-- > 0) throw new SluiceError('broker-unavailable', 'not there');
      for (let row = 0; row < slab.count; row++) partitions[partition].push(recordOf(slab, row, partition));
    },
    close: async () => undefined,
  };
  const recordOf = (slab: RecordSlab, row: number, partition: number): LogRecord => ({
    partition,
    offset: partitions[partition].length,
    timestampMs: slab.timestamps[row],
    key: null,
    value: Buffer.from(slab.arena.subarray(slab.valueStart[row], slab.valueEnd[row])),
    headers: decodeHeaders(Buffer.from(slab.arena.subarray(slab.headersStart[row], slab.headersEnd[row]))),
  });
  const log: TopicLog = {
    extents: async () => partitions.map((records) => ({ start: 0, end: records.length })),
    async read(_topic, partition, { from, to }, visit) {
      for (const record of partitions[partition].slice(from, to)) if (!(await visit(record))) return record.offset + 1;
      return to;
    },
    offsetsAt: () => Promise.reject(new Error('nobody asks by time')),
    topics: () => Promise.resolve([]),
    truncate: async () => undefined,
    close: async () => undefined,
  };
  return { sink, log, partitions };
}

const LOAD = {
  topics: ['in'],
  values: [Buffer.from('a'), Buffer.from('b'), Buffer.from('c')],
  run: 'r',
  perSecond: 100,
};
const starts = async (log: TopicLog) => new Map([['in', await log.extents('in')]]);

test('each record at its own time, to the partitions in turn, values in turn, dated and marked', async () => {
  const clock = new FakeClock();
  const { sink, log, partitions } = brokerOf(clock);
  const before = clock.wallMs();
  const ledger = createLedger(await starts(log));
  const sending = sendLoad({ clock, sink, ledger, signal: new AbortController().signal }, { ...LOAD, records: 10 });
  await clock.advance(45);
  assert.deepEqual(
    partitions.map((records) => records.length),
    [3, 2],
    'what is not due is not sent',
  );
  await clock.advance(100);
  const { sent, seconds, lateMs } = await sending;
  assert.equal(sent, 10);
  assert.ok(seconds >= 0.1 && seconds < 0.11);
  assert.ok(Math.max(...lateMs) <= 2);
  const [{ timestampMs, headers, value }] = partitions[1];
  assert.equal(timestampMs - before, 11);
  assert.deepEqual([value?.toString(), headers[0].name, headers[0].value?.toString()], ['b', BENCH_HEADER, 'r/1']);
});

test('a broker that stalls makes records late, and stops none: nothing is left out of the latencies', async () => {
  const clock = new FakeClock();
  const { sink, log, partitions } = brokerOf(clock, { callMs: 60 });
  const ledger = createLedger(await starts(log));
  const sending = sendLoad({ clock, sink, ledger, signal: new AbortController().signal }, { ...LOAD, records: 10 });
  await clock.advance(400);
  const { sent, lateMs } = await sending;
  assert.equal(sent, 10);
  assert.equal(partitions[0].length + partitions[1].length, 10);
  assert.ok(Math.max(...lateMs) >= 40, `the latest was ${Math.max(...lateMs)} ms late`);
});

test('records that fall due while this process is blocked count from their due time', async () => {
  const still = new FakeClock();
  let stoodMs = 0;
  const clock: Clock = {
    wallMs: () => still.wallMs() + stoodMs,
    monotonicMs: () => still.monotonicMs() + stoodMs,
    after: (delayMs, fire) => still.after(delayMs, fire),
  };
  const { sink, log } = brokerOf(still);
  const froze: Sink = {
    ...sink,
    send(...args) {
      stoodMs = 100;
      return sink.send(...args);
    },
  };
  const from = await starts(log);
  const ledger = createLedger(from);
  const signal = new AbortController().signal;
  const sending = sendLoad({ clock, sink: froze, ledger, signal }, { ...LOAD, records: 5 });
  await still.advance(20);
  const { lateMs } = await sending;
  assert.ok(lateMs[1] >= 90 && lateMs[4] >= 60, `${lateMs}`);
  await claimSent(log, from, 'r', ledger);
  for (const place of ['in/0/0', 'in/1/0', 'in/0/1', 'in/1/1', 'in/0/2']) ledger.answer(place, 1_001);
  assert.deepEqual([...ledger.outcome(0).latencies], [960, 970, 980, 990, 1_000]);
});

test('retryable failures are retried until the broker has the records; others end the run', async () => {
  const clock = new FakeClock();
  const { sink, log, partitions } = brokerOf(clock, { failing: 2 });
  const signal = new AbortController().signal;
  const sending = sendLoad({ clock, sink, ledger: createLedger(await starts(log)), signal }, { ...LOAD, records: 2 });
  await clock.advance(1_000);
  assert.equal((await sending).sent, 2);
  assert.equal(partitions[0].length + partitions[1].length, 2);
  const refusing: Sink = {
    ...sink,
    send: () => Promise.reject(new SluiceError('broker-refused', 'no right to write')),
  };
  const refused = sendLoad(
    { clock, sink: refusing, ledger: createLedger(await starts(log)), signal },
    { ...LOAD, records: 2 },
  );
  const outcome = assert.rejects(refused, /no right to write/);
  await clock.advance(100);
  await outcome;
});

test('a signal ends the sending; what was sent is known', async () => {
  const clock = new FakeClock();
  const { sink, log } = brokerOf(clock);
  const stopping = new AbortController();
  const ledger = createLedger(await starts(log));
  const sending = sendLoad({ clock, sink, ledger, signal: stopping.signal }, { ...LOAD, records: 1_000 });
  await clock.advance(52);
  stopping.abort();
  await clock.advance(1);
  const { sent, lateMs } = await sending;
  assert.ok(sent >= 5 && sent <= 6, `${sent}`);
  assert.equal(lateMs.length, sent);
});

test('read back and watched: ours are found among others, and counted from when they are seen', async () => {
  const clock = new FakeClock();
  const inputs = brokerOf(clock);
  const outputs = brokerOf(clock);
  const letters = brokerOf(clock);
  const log: TopicLog = {
    ...outputs.log,
    extents: (topic) => (topic === 'out' ? outputs : letters).log.extents(topic),
    read: (topic, ...rest) => (topic === 'out' ? outputs : letters).log.read(topic, ...rest),
  };
  const stranger = { partition: 0, offset: 0, timestampMs: 0, key: null, value: null, headers: [] };
  inputs.partitions[0].push(stranger);
  const from = await starts(inputs.log);
  const ledger = createLedger(from);
  const watch = await startWatch({ clock, log }, { output: 'out', deadLetters: 'dead' });
  watch.begin(ledger);
  const signal = new AbortController().signal;
  const sending = sendLoad({ clock, sink: inputs.sink, ledger, signal }, { ...LOAD, records: 4 });
  await clock.advance(60);
  await sending;
  inputs.partitions[0].push({
    ...stranger,
    offset: 3,
    headers: [{ name: BENCH_HEADER, value: Buffer.from('other/0') }],
  });
  await claimSent(inputs.log, from, 'r', ledger);
  assert.equal(ledger.waiting(), 4);
  const header = (name: string, value: string) => ({ name, value: Buffer.from(value) });
  const append = ({ partitions: [records] }: typeof outputs, headers: LogRecord['headers']): void =>
    void records.push({ ...stranger, offset: records.length, headers });
  append(outputs, [header('sluice-source', 'in/0/1')]);
  append(outputs, [header('sluice-source', 'in/0/0')]);
  append(letters, [
    header('__dlq.errors.reason', 'decode-failed'),
    header('__dlq.errors.topic', 'in'),
    header('__dlq.errors.partition', '1'),
    header('__dlq.errors.offset', '0'),
  ]);
  await clock.advance(200);
  assert.equal(ledger.waiting(), 2);
  const closing = watch.close();
  await clock.advance(10);
  await closing;
  const { predictions, deadLetters, reasons } = ledger.outcome(0);
  assert.deepEqual([predictions, deadLetters, reasons], [1, 1, { 'decode-failed': 1 }]);
  assert.ok(watch.looksMs().length > 2);
});
