import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import type { Origin } from '../../../src/kernel/frame.ts';
import { FakeTransactions } from '../../fixtures/fake-transactions.ts';
import { type FakeRecord, Gate } from '../../fixtures/fakes.ts';
import { event, events, origin, startWorld, type TestWorld } from '../../fixtures/world.ts';

function startOnce(options: Parameters<typeof startWorld>[0] = {}) {
  const sink = new FakeTransactions();
  const world = startWorld({ ...options, flow: { delivery: 'exactly-once', ...options.flow } }, sink);
  const from = origin();
  world.source.assign(from);
  return { world, sink, from };
}

const offsetOf = (source: string): number => Number(source.split('/')[2]);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

/** What a source does that is told of another owner. */
function renewable(world: TestWorld, onRenew: (origin: Origin) => void = () => undefined): Origin[] {
  const renewed: Origin[] = [];
  Object.assign(world.source, {
    renew(ended: Origin) {
      renewed.push(ended);
      world.source.listener.onRevoked(ended);
      onRenew(ended);
    },
  });
  return renewed;
}

test('L1, exactly once: every record settles once, in the transaction that moves the offset behind it', async () => {
  const { world, sink, from } = startOnce({ onTombstone: 'drop' });
  const records: FakeRecord[] = range(0, 200).map((offset) => {
    if (offset % 10 === 3) return { offset, value: null };
    if (offset % 10 === 5) return { offset, value: '{"id": 1, "x": ' };
    return event(offset);
  });
  // Of one output the topic takes nothing: the transactions around it are cut until it is alone.
  sink.before = ({ rows }) => {
    if (rows.some(({ topic, key }) => topic === 'out' && key === '42')) throw new SluiceError('record-refused', 'no');
    return undefined;
  };
  await world.source.feed(from, records.slice(0, 120));
  await world.source.feed(from, records.slice(120), 205);
  const outcome = await world.finish();
  assert.equal(outcome.result, 'done', outcome.error?.message);
  const settled = sink.sources().map(offsetOf);
  assert.deepEqual(
    settled.toSorted((a, b) => a - b),
    range(0, 200).filter((offset) => offset % 10 !== 3),
  );
  assert.deepEqual(sink.sources('dead').map(offsetOf).includes(42), true);
  assert.equal(world.telemetry.count('sluice_dead_letters_total', { reason: 'unpublishable' }), 1);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'dropped' }), 20);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'dead-lettered' }), 21);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'published' }), 159);
  assert.equal(sink.offsets().at(-1), 205);
  for (const { rows, nextOffset } of sink.committed) {
    for (const { headers } of rows) {
      const source = headers['sluice-source'] ?? `in/0/${headers['__dlq.errors.offset']}`;
      assert.ok(offsetOf(source) < nextOffset, 'the offset is behind what the transaction holds');
    }
  }
  assert.deepEqual([world.credit.records, world.credit.bytes], [0, 0]);
});

test('L2, exactly once: offsets go up and never pass what is not in a transaction before; one at a time', async () => {
  const { world, sink, from } = startOnce();
  const stalled = new Gate();
  stalled.close();
  sink.before = () => stalled.through().then(() => undefined);
  await world.source.feed(from, events(0, 10));
  await world.clock.advance(1_000);
  await world.source.feed(from, [], 15);
  await world.source.feed(from, events(15, 10));
  await world.clock.advance(1_000);
  assert.equal(sink.asked.length, 1, 'what comes while a transaction is under way waits for it');
  assert.deepEqual(world.source.commits, []);
  stalled.open();
  assert.equal((await world.finish()).result, 'done');
  assert.deepEqual(sink.offsets(), [10, 25]);
  assert.equal(sink.mostUnderWay, 1);
});

test('L3, exactly once: order holds while a refused transaction is cut, and within frames', async () => {
  const { world, sink, from } = startOnce();
  sink.partitions = 3;
  let refusals = 0;
  sink.before = ({ rows }) => {
    if (rows.length > 3 && refusals++ < 40) throw new SluiceError('record-too-large', 'too many bytes');
    return undefined;
  };
  await world.source.feed(from, events(0, 25));
  await world.source.feed(from, events(25, 25));
  assert.equal((await world.finish()).result, 'done');
  const byPartition = Map.groupBy(
    sink.committed.flatMap(({ rows }) => rows),
    ({ partition }) => partition,
  );
  assert.equal(byPartition.size, 3);
  for (const rows of byPartition.values()) {
    const offsets = rows.map(({ headers }) => offsetOf(headers['sluice-source']));
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => a - b),
    );
  }
  assert.deepEqual(
    sink
      .sources()
      .map(offsetOf)
      .toSorted((a, b) => a - b),
    range(0, 50),
  );
  for (const { rows, nextOffset } of sink.committed) {
    const last = Math.max(...rows.map(({ headers }) => offsetOf(headers['sluice-source'])));
    assert.equal(nextOffset, last + 1, 'the offset goes as far as the rows, within a frame too');
  }
  const { length } = sink.offsets();
  assert.ok(length > 10, `${length} transactions, some of which end within a frame`);
  assert.deepEqual(
    sink.offsets(),
    sink.offsets().toSorted((a, b) => a - b),
  );
});

test('L3, exactly once: frames go out in input order, however they finish', async () => {
  const { world, sink, from } = startOnce({ enriched: true });
  const slow = new Gate();
  slow.close();
  world.store.before = (keys) => (keys.includes('slow') ? slow.through() : undefined);
  await world.source.feed(
    from,
    events(0, 5, () => 'slow'),
  );
  await world.source.feed(
    from,
    events(5, 20, () => 'quick'),
  );
  await world.clock.advance(1_000);
  assert.deepEqual([slow.waiting, sink.asked.length], [1, 0], 'what finished first waits for its turn');
  slow.open();
  assert.equal((await world.finish()).result, 'done');
  assert.deepEqual(sink.sources().map(offsetOf), range(0, 25));
});

test('L7, exactly once: a transaction that fails is asked for again with the same rows, and settles nothing before', async () => {
  const { world, sink, from } = startOnce();
  let down = true;
  sink.before = () => {
    if (down) throw new SluiceError('broker-unavailable', 'the broker is down');
    return undefined;
  };
  await world.source.feed(from, [event(0, null), ...events(1, 19)]);
  await world.clock.advance(5_000);
  await world.source.feed(from, events(20, 5));
  await world.clock.advance(55_000);
  assert.equal(world.credit.records, 25);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'published' }), 0);
  assert.ok(world.telemetry.count('sluice_retries_total', { what: 'sink', reason: 'broker-unavailable' }) > 3);
  assert.match(world.runner.health().reason, /broker, transaction of in\/0: the broker is down/);
  for (const asked of sink.asked) assert.deepEqual(asked, sink.asked[0]);
  down = false;
  await world.clock.advance(10_000);
  assert.equal(world.runner.health().ready, true);
  assert.equal((await world.finish()).result, 'done');
  assert.deepEqual(
    sink
      .sources()
      .map(offsetOf)
      .toSorted((a, b) => a - b),
    range(0, 25),
  );
});

test('L6, exactly once: what is under way when the epoch ends is not asked for again; the next epoch goes on', async () => {
  const { world, sink, from } = startOnce();
  let down = true;
  sink.before = () => {
    if (down) throw new SluiceError('broker-unavailable', 'the broker is down');
    return undefined;
  };
  await world.source.feed(from, events(0, 10));
  await world.clock.advance(500);
  world.source.listener.onRevoked(from);
  down = false;
  const next = origin(0, 2);
  world.source.assign(next);
  await world.source.feed(next, events(0, 12));
  await world.clock.advance(10_000);
  assert.equal((await world.finish()).result, 'done');
  assert.deepEqual(sink.sources().map(offsetOf), range(0, 12));
  assert.equal(world.telemetry.count('sluice_late_completions_total'), 10);
  assert.equal(world.telemetry.count('sluice_duplicates_possible_total'), 0);
  assert.equal(world.credit.records, 0);
});

test('when another producer has taken over, the epoch ends, all of it is let go, and the source begins anew', async () => {
  const { world, sink, from } = startOnce();
  const next = origin(0, 2);
  const renewed = renewable(world, () => world.source.assign(next));
  const other = origin(1);
  world.source.assign(other);
  let lost = true;
  sink.before = ({ partition }) => (lost && partition === 0 ? 'lost' : undefined);
  await world.source.feed(from, events(0, 10));
  await world.source.feed(from, events(10, 10));
  await world.source.feed(other, events(0, 5));
  await world.clock.advance(1_000);
  assert.deepEqual(renewed, [from]);
  assert.equal(world.credit.records, 0, 'nothing is kept of what somebody else reads');
  lost = false;
  await world.source.feed(next, events(4, 6));
  assert.equal((await world.finish()).result, 'done');
  assert.deepEqual(
    sink.committed.filter(({ partition }) => partition === 0).flatMap(({ rows }) => rows.map(({ key }) => Number(key))),
    range(4, 10),
  );
  assert.deepEqual(sink.offsets(1), [5]);
});

test('a source that cannot begin anew ends the run: it would stand still for ever', async () => {
  const { world, sink, from } = startOnce();
  sink.before = () => 'lost';
  await world.source.feed(from, events(0, 3));
  const outcome = await world.clock.run(world.outcome);
  assert.equal(outcome.result, 'failed');
  assert.equal(outcome.error?.code, 'invariant-broken');
});

test('transactions of two partitions run beside each other, and a large backlog goes in several of each', async () => {
  const { world, sink, from } = startOnce({ flow: { maxInFlight: { records: 5_000, bytes: 1 << 22 }, maxBatch: 512 } });
  const other = origin(1);
  world.source.assign(other);
  const stalled = new Gate();
  stalled.close();
  sink.before = () => stalled.through().then(() => undefined);
  for (let at = 0; at < 2_000; at += 500) {
    await world.source.feed(from, events(at, 500));
    await world.source.feed(other, events(at, 500));
  }
  await world.clock.advance(1_000);
  assert.equal(sink.underWay, 2);
  stalled.open();
  assert.equal((await world.finish()).result, 'done');
  for (const partition of [0, 1]) assert.equal(sink.offsets(partition).at(-1), 2_000);
  assert.ok(Math.max(...sink.committed.map(({ rows }) => rows.length)) <= 1_000);
});

test('L8, exactly once: the end comes within the budget while a transaction hangs', async () => {
  const { world, sink, from } = startOnce({ flow: { drainMs: 3_000 } });
  const stalled = new Gate();
  stalled.close();
  sink.before = () => stalled.through().then(() => undefined);
  await world.source.feed(from, events(0, 7));
  await world.clock.advance(100);
  const begun = world.clock.monotonicMs();
  const outcome = await world.finish();
  assert.equal(outcome.result, 'drain-budget');
  assert.equal(outcome.unsettledRecords, 7);
  assert.ok(world.clock.monotonicMs() - begun <= 3_000);
});

test('a dead letter that its topic refuses goes by reference in the end; refused even so, it ends the run', async () => {
  for (const isHopeless of [false, true]) {
    const { world, sink, from } = startOnce();
    sink.before = ({ rows }) => {
      const dead = rows.find(({ topic }) => topic === 'dead');
      if (dead !== undefined && (isHopeless || dead.value !== null)) throw new SluiceError('record-refused', 'no');
      return undefined;
    };
    await world.source.feed(from, [...events(0, 3), event(3, null), ...events(4, 3)]);
    await world.clock.advance(1_000);
    const outcome = isHopeless ? await world.clock.run(world.outcome) : await world.finish();
    assert.equal(outcome.result, isHopeless ? 'failed' : 'done');
    if (isHopeless) assert.equal(outcome.error?.code, 'broker-refused');
    else assert.deepEqual(sink.sources().map(offsetOf).toSorted(), range(0, 7));
  }
});
