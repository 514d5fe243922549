/** What the bench's figures rest on: its own record batches, its clockwork, its records. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import avsc from 'avsc';
import { arrivalsOf } from '../../bench/harness/arrivals.ts';
import { encodeBatch, type ReadRecord, readBatches } from '../../bench/harness/batches.ts';
import type { Contestant } from '../../bench/harness/contestants.ts';
import { judge } from '../../bench/harness/guard.ts';
import { type Result, tables } from '../../bench/harness/report.ts';
import { Sendings } from '../../bench/harness/sendings.ts';
import { samples, stamp } from '../../bench/workloads/records.ts';
import { WORKLOADS, type Workload } from '../../bench/workloads/workloads.ts';

const workload = (name: string, pool = 50): Workload => ({ ...(WORKLOADS.get(name) as Workload), pool });

test('a batch that the bench writes is read again, and one that is cut off is not', () => {
  const records = [...samples(workload('light', 300))];
  const batch = encodeBatch(records, 1_760_000_000_000);
  const read: ReadRecord[] = [];
  const twice = Buffer.concat([batch, batch.subarray(0, batch.length - 1)]);
  assert.equal(
    readBatches(twice, (record) => read.push(record)),
    300,
  );
  assert.deepEqual(
    read.map(({ offset, key, value, timestampMs }) => ({ offset, key, value, timestampMs })),
    records.map(({ key, value }, offset) => ({ offset, key, value, timestampMs: 1_760_000_000_000 })),
  );
});

test('a record is due behind the time that it is meant for, and not before', () => {
  for (const kind of ['steady', 'burst'] as const) {
    const arrivals = arrivalsOf(kind, 2_000);
    for (let i = 0; i < 7_000; i += 13) {
      const atMs = arrivals.intendedMs(i);
      assert.ok(arrivals.dueBefore(atMs + 0.01) > i, `${kind} ${i}`);
      assert.ok(arrivals.dueBefore(atMs - 0.01) <= i, `${kind} ${i}`);
    }
  }
  assert.equal(arrivalsOf('burst', 2_000).dueBefore(100), 2_000);
  assert.equal(arrivalsOf('burst', 2_000).dueBefore(999), 2_000);
});

test('values of every codec are what their schemas say, and take another time', () => {
  const schemas = {
    light: 'light/sensor-reading.avsc',
    enriched: 'enriched/sensor-change.avsc',
    'ffnn-avro': 'vectors/vector.avsc',
  };
  for (const [name, file] of Object.entries(schemas)) {
    const type = avsc.Type.forSchema(JSON.parse(readFileSync(`bench/workloads/${file}`, 'utf8')));
    for (const { value, atMs, id } of samples(workload(name))) {
      const before = type.fromBuffer(value.subarray(5));
      assert.equal(before.at, atMs);
      assert.equal(before.device ?? before.id, id);
      stamp(value, workload(name).codec, atMs + 86_400_001);
      assert.deepEqual({ ...type.fromBuffer(value.subarray(5)) }, { ...before, at: atMs + 86_400_001 });
    }
  }
  for (const { value, atMs } of samples(workload('ffnn-json'))) {
    stamp(value, 'json', atMs + 1);
    const { at, values } = JSON.parse(value.toString());
    assert.equal(at, atMs + 1);
    assert.equal(values.length, 784);
  }
});

test('the guard passes a ratio like that on file, and fails one and a half times as much', () => {
  const drained = (cpuUsPerRecord: number) => [{ cpuUsPerRecord, recordsPerSecond: 1, peakRssBytes: 1, records: 1 }];
  const row = (name: string, us: number) => ({ contestant: { name }, drained: drained(us), paced: [] });
  const result = (us: number) =>
    ({ workload: workload('light'), rows: [row('sluice', us), row('kafkajs-batch', 10)] }) as unknown as Result;
  const onFile = JSON.parse(readFileSync('bench/guard.json', 'utf8')).light as number;
  const said: string[] = [];
  assert.equal(
    judge(result(onFile * 10 * 1.4), (line) => said.push(line)),
    0,
  );
  assert.equal(
    judge(result(onFile * 10 * 1.6), (line) => said.push(line)),
    1,
  );
  assert.match(said[1], /a regression/);
});

test('paced at several loads, each has a line of its own: that of its best round', () => {
  const paced = (perSecond: number, p99Ms: number) => ({
    perSecond,
    p50Ms: 1,
    p99Ms,
    p999Ms: p99Ms,
    maxMs: p99Ms,
    misses: 0.0012,
    sentLate: 0.0003,
    cpuUsPerRecord: 10,
    peakRssBytes: 2 ** 20,
    generatorLateMs: 1,
  });
  const contestant = { name: 'sluice' } as Contestant;
  const rounds = [paced(200, 9), paced(800, 30), paced(200, 7), paced(800, 33)];
  const table = tables({ workload: workload('light'), rows: [{ contestant, drained: [], paced: rounds }] });
  assert.deepEqual(
    table.split('\n').filter((line) => line.startsWith('| sluice')),
    [
      '| sluice | 200 | 1 | 7 | 7 | 0.12 % | 0.03 % | 10.0 | 1 | – | 1 |',
      '| sluice | 800 | 1 | 30 | 30 | 0.12 % | 0.03 % | 10.0 | 1 | – | 1 |',
    ],
  );
});

test('a record was sent with the first request that reached to it, late or not', () => {
  const sendings = new Sendings();
  sendings.add(104, 105);
  sendings.add(106, 130);
  sendings.add(131, 131);
  assert.deepEqual(
    [100, 104, 105, 106, 107, 131, 140].map((intendedMs) => sendings.lateMs(intendedMs)),
    [5, 1, 25, 24, 24, 0, 0],
  );
});
