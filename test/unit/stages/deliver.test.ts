import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOfKey } from '../../../src/kernel/bytes/murmur2.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, type Reason, reasonCode } from '../../../src/kernel/fate.ts';
import { decide, type Frame, type Origin } from '../../../src/kernel/frame.ts';
import { encodeHeaders } from '../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { createDeliver } from '../../../src/stages/deliver.ts';
import { Pool } from '../../../src/stages/pool.ts';
import { FakeSink, Gate } from '../../fixtures/fakes.ts';
import { frameOf } from '../../fixtures/frames.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

function start() {
  const deps = stageDeps();
  const sink = new FakeSink();
  const over = new Set<Origin>();
  const isCurrent = (origin: Origin): boolean => !over.has(origin);
  const deliver = createDeliver({ ...deps, sink, instance: 'test', isCurrent }, testPlan());
  deliver.setFlushing(true);
  const send = (frame: Frame): Promise<void> => {
    deliver.admit(frame);
    return deliver(frame);
  };
  const fates = (fate: string): number => deps.telemetry.count('sluice_records_total', { fate });
  return { deps, sink, over, deliver, send, fates };
}

/** A frame as encode leaves it; keys of outputs, or the fate of the record. */
function encoded(keys: readonly (string | null | { fate: number; reason: Reason })[], origin = ORIGIN): Frame {
  const frame = frameOf(
    origin,
    keys.map((_, offset) => ({ offset, value: `in ${offset}`, timestampMs: 1_700_000_000_000 })),
  );
  const slab = new RecordSlab(1, 1);
  frame.encodedAs = Int32Array.from(keys, (key, i) => {
    if (key !== null && typeof key === 'object') {
      decide(frame, i, key.fate, reasonCode(key.reason));
      return -1;
    }
    const source = { name: 'sluice-source', value: Buffer.from(`in/${origin.partition}/${i}`) };
    return slab.append(0, key === null ? null : Buffer.from(key), Buffer.from(`out ${i}`), encodeHeaders([source]));
  });
  frame.encoded = slab;
  return frame;
}

const DEAD = { fate: DEAD_LETTERED, reason: 'decode-failed' } as const;
const DROP = { fate: DROPPED, reason: 'tombstone' } as const;

test('outputs go where their key belongs, those without one to the partition of their input, dead letters likewise', async () => {
  const { deps, sink, send, fates } = start();
  sink.partitions = 5;
  const origin = { topic: 'in', partition: 7, epoch: 1 };
  const keys = ['ATL', 'JFK', 'x', ''];
  await deps.clock.run(send(encoded([...keys, null, DEAD, DROP], origin)));
  const placed = new Map(sink.acknowledged.map(({ topic, partition, value }) => [`${topic} ${value}`, partition]));
  for (const [i, key] of keys.entries()) {
    const bytes = Buffer.from(key);
    assert.equal(placed.get(`out out ${i}`), partitionOfKey(bytes, 0, bytes.length, 5));
  }
  assert.deepEqual([placed.get('out out 4'), placed.get('dead in 5')], [2, 2]);
  assert.equal(placed.size, 6);
  assert.deepEqual([fates('published'), fates('dead-lettered'), fates('dropped')], [5, 1, 1]);
  assert.equal(deps.telemetry.count('sluice_dead_letters_total', { reason: 'decode-failed' }), 1);
});

test('a frame is settled when its last record is, whichever way that goes', async () => {
  const { deps, sink, send } = start();
  const gate = new Gate();
  gate.close();
  sink.before = (topic) => (topic === 'dead' ? gate.through() : undefined);
  const frame = encoded(['a', DEAD, DROP, 'b']);
  let settled = false;
  const done = send(frame).then(() => {
    settled = true;
  });
  await deps.clock.advance(1_000);
  assert.deepEqual([settled, frame.unsettled], [false, 1]);
  gate.open();
  await deps.clock.run(done);
  assert.equal(frame.unsettled, 0);
  assert.deepEqual(deps.telemetry.observed.get('sluice_residence_seconds'), [1, 1, 1, 1]);
  assert.equal(deps.telemetry.observed.get('sluice_record_age_seconds')?.length, 4);
});

test('what a frame was lent goes back when its rows are in chunks: long before it is settled, for the next frames', async () => {
  const { deps, sink, send } = start();
  const pool = new Pool((records) => ({ records }));
  const gate = new Gate();
  gate.close();
  sink.before = () => gate.through();
  const frame = encoded(['a', 'b']);
  const lent = pool.lend(frame, frame.count);
  const done = send(frame);
  assert.equal(pool.lend(encoded(['c']), 1), lent);
  assert.equal(frame.unsettled, 2);
  gate.open();
  await deps.clock.run(done);
});

test('frames of which every record was dropped, and frames without records, settle too', async () => {
  const { deps, sink, send } = start();
  for (const frame of [encoded([DROP, DROP]), encoded([])]) {
    await deps.clock.run(send(frame));
    assert.equal(frame.unsettled, 0);
  }
  assert.equal(sink.calls, 0);
});

test('a frame whose ownership period is over is not published, and not settled', async () => {
  const { deps, sink, over, send, fates } = start();
  over.add(ORIGIN);
  const frame = encoded(['a', DEAD, DROP]);
  await deps.clock.run(send(frame));
  assert.deepEqual([frame.unsettled, sink.calls, fates('published') + fates('dropped')], [3, 0, 0]);
});

test('frames leave in the order of their admission, however they are delivered', async () => {
  const { deps, sink, deliver } = start();
  const frames = [encoded(['a']), encoded(['b']), encoded(['c'])];
  for (const frame of frames) deliver.admit(frame);
  const done = [frames[2], frames[1]].map((frame) => deliver(frame));
  await deps.clock.advance(1_000);
  assert.equal(sink.calls, 0);
  await deps.clock.run(Promise.all([...done, deliver(frames[0])]));
  assert.deepEqual(
    sink.acknowledged.map(({ key }) => key),
    ['a', 'b', 'c'],
  );
});

test('an output that the broker will never take becomes a dead letter, unpublishable, and the frame settles with it', async () => {
  const { deps, sink, send, fates } = start();
  sink.before = (topic, _partition, rows) => {
    if (topic === 'out' && rows.some(({ key }) => key === 'huge'))
      throw new SluiceError('record-too-large', 'too large');
  };
  const frame = encoded(['a', 'huge', 'c']);
  await deps.clock.run(send(frame));
  assert.equal(frame.unsettled, 0);
  const [dead] = sink.acknowledged.filter(({ topic }) => topic === 'dead');
  assert.deepEqual([dead.value, dead.headers['__dlq.errors.reason']], ['in 1', 'unpublishable']);
  assert.deepEqual([fates('published'), fates('dead-lettered')], [2, 1]);
  assert.equal(deps.telemetry.count('sluice_dead_letters_total', { reason: 'unpublishable' }), 1);
});

test('an output refused for its key or timestamp is unpublishable; a dead letter refused goes again with less', async () => {
  const { deps, sink, send, fates } = start();
  const refused = new SluiceError('record-refused', 'the timestamp is out of range');
  sink.before = (topic, _partition, rows) => {
    if (topic === 'out' && rows.some(({ key }) => key === 'late')) throw refused;
    if (topic === 'dead' && rows.some(({ value }) => value !== null)) throw refused;
  };
  const frame = encoded(['a', 'late', 'c', DEAD]);
  await deps.clock.run(send(frame));
  assert.equal(frame.unsettled, 0);
  const dead = sink.acknowledged.filter(({ topic }) => topic === 'dead');
  assert.deepEqual(dead.map(({ key }) => key).sort(), ['in/0/1', 'in/0/3']);
  assert.deepEqual([fates('published'), fates('dead-lettered')], [2, 2]);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'sink', reason: 'dead-letter-refused' }), 4);
});

test('a dead letter that the broker will never take ends the run, with the record named and what to do', async () => {
  const { deps, sink, send } = start();
  sink.before = (topic) => {
    if (topic === 'dead') throw new SluiceError('record-too-large', 'too large');
  };
  const [first, second] = [encoded(['a', DEAD]), encoded(['b'])];
  const expected = {
    code: 'broker-refused',
    message: /dead letter in\/0\/1 was refused.*give dead settings that take it/,
  };
  await assert.rejects(deps.clock.run(send(first)), expected);
  assert.equal(first.unsettled, 1, 'it is not settled');
  await assert.rejects(deps.clock.run(send(second)), expected, 'nothing is delivered after a failure');
});

test('a record that no stage has dealt with is a broken program, not a lost record', async () => {
  const { deps, send } = start();
  const frame = encoded(['a']);
  frame.encoded = undefined;
  await assert.rejects(deps.clock.run(send(frame)), { code: 'invariant-broken' });
});

test('outputs of many partitions linger together, and leave when the first of them has: in one turn', async () => {
  const { deps, sink, deliver, send } = start();
  deliver.setFlushing(false);
  sink.partitions = 4;
  const startedMs = deps.clock.monotonicMs();
  const left: [number, number][] = [];
  sink.before = (_topic, partition) => {
    left.push([partition, deps.clock.monotonicMs() - startedMs]);
  };
  const sent = [send(encoded([null], { topic: 'in', partition: 0, epoch: 1 }))];
  await deps.clock.advance(0.5);
  sent.push(send(encoded([null], { topic: 'in', partition: 1, epoch: 1 })));
  await deps.clock.advance(0.25);
  sent.push(send(encoded([null, DEAD], { topic: 'in', partition: 2, epoch: 1 })));
  await deps.clock.run(Promise.all(sent));
  const [[, firstMs]] = left;
  assert.ok(firstMs > 0.75, 'they lingered');
  assert.deepEqual(
    left,
    [0, 1, 2, 2].map((partition) => [partition, firstMs]),
  );
});
