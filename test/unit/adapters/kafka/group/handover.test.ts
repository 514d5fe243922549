import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBatches, freshBudget } from '../../../../../src/adapters/kafka/record-batch/read.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import { batchOf } from '../../../../fixtures/kafka/batches.ts';
import { batch, setUp } from '../../../../fixtures/kafka/handover.ts';

const offsetsOf = (frames: readonly Frame[]): number[] => frames.flatMap((frame) => [...frame.offsets]);

test('a batch is handed over in frames that join without a gap, to the end of what was fetched', async () => {
  const { handover, member, frames, lane } = setUp();
  await handover.deliver(member, batch(10, [10, 11, 13, 14, 17], [10, 11, 13, 14, 17, 18]));
  assert.deepEqual(offsetsOf(frames), [10, 11, 13, 14, 17]);
  assert.deepEqual(
    frames.map(({ nextOffset }) => nextOffset),
    [17, 19],
  );
  assert.deepEqual([lane.position, lane.lastTimestampMs], [19, 7]);
});

test('of a fetch that begins within a record batch only what was asked for is handed over, in frames across batches', async () => {
  const { handover, member, frames, lane, credit } = setUp();
  const three = await batchOf(['a', 'b', 'c'].map((text) => ({ value: Buffer.from(text) })));
  const fetched = Buffer.concat([three, three, three]);
  for (const i of [0, 1, 2]) fetched.writeBigInt64BE(BigInt(9 + 3 * i), i * three.length);
  const messages = await decodeBatches(fetched, freshBudget());
  assert.equal(messages.length, 3);
  await handover.deliver(member, { ...batch(10, []), messages, rawMessages: messages });
  assert.deepEqual(
    frames.map(({ offsets, nextOffset }) => [[...offsets], nextOffset]),
    [
      [[10, 11, 12, 13], 14],
      [[14, 15, 16, 17], 18],
    ],
  );
  assert.deepEqual(
    [lane.position, credit.records, credit.bytes],
    [18, 8, frames.reduce((bytes, { arena }) => bytes + arena.length, 0)],
  );
});

test('a fetch that began elsewhere than where the lane stands brings nothing', async () => {
  const { handover, member, frames, lane, telemetry } = setUp();
  for (const from of [5, 12]) await handover.deliver(member, batch(from, [from, 13]));
  assert.deepEqual(frames, []);
  assert.equal(lane.position, 10);
  assert.equal(telemetry.count('sluice_fetches_discarded_total'), 2);
});

test('what holds no record is handed over as a frame without one; empty fetches tell where the end is', () => {
  const { handover, lane, frames, credit, gate } = setUp();
  credit.tryTake(100, 0);
  assert.deepEqual(handover.admit([batch(10, [], [])]), []);
  assert.deepEqual([lane.position, lane.endOffset, frames.length], [10, 50, 0]);
  assert.deepEqual(handover.admit([batch(10, [], [10, 11, 12])]), []);
  assert.equal(lane.position, 13);
  assert.deepEqual(handover.admit([batch(10, [], [10, 11, 12, 13, 14])]), [], 'a stale one moves nothing');
  assert.equal(lane.position, 13);
  assert.ok(Number.isNaN(lane.lastTimestampMs));
  assert.deepEqual(
    frames.map(({ origin, count, bytes, unsettled, nextOffset }) => [origin, count, bytes, unsettled, nextOffset]),
    [[lane.origin, 0, 0, 0, 13]],
    'it waits for no credit, and takes none',
  );
  const full = batch(13, [13]);
  assert.deepEqual(handover.admit([full]), [full]);
  gate.close('halted');
  assert.deepEqual(handover.admit([batch(13, [], [13, 14])]), []);
  assert.deepEqual([lane.position, frames.length], [13, 1], 'behind a shut gate nothing moves');
});

test('a member that has not been heard for a session hands nothing over until it is heard again', async () => {
  const { handover, member, frames, credit, clock, lease, lane } = setUp();
  await clock.advance(1_000_001);
  await handover.deliver(member, batch(10, [10, 11]));
  assert.deepEqual(frames, []);
  assert.deepEqual([lane.position, credit.records], [10, 0]);
  lease.renew(clock.monotonicMs() - 999_999);
  await handover.deliver(member, batch(10, [10, 11]));
  assert.deepEqual(offsetsOf(frames), [10, 11]);
});

for (const [title, end] of [
  ['the gate shuts', (s: ReturnType<typeof setUp>) => s.gate.close('halted')],
  [
    'its epoch ends, in the turn in which the credit comes,',
    (s: ReturnType<typeof setUp>) => {
      s.credit.give(3, 0);
      s.lanes.endAll();
    },
  ],
] as const) {
  test(`when ${title} while a batch waits for credit, nothing is handed over and no credit kept`, async () => {
    const setup = setUp(4);
    const { handover, member, frames, credit, clock, telemetry, waits } = setup;
    credit.tryTake(3, 0);
    const delivered = handover.deliver(member, batch(10, [10, 11]));
    assert.equal(waits.count, 1);
    end(setup);
    await clock.run(delivered);
    assert.deepEqual(frames, []);
    assert.equal(credit.waiting, 0);
    assert.ok(credit.records === 3 || credit.records === 0);
    assert.equal(telemetry.count('sluice_pauses_total', { reason: 'credit' }), 1);
    assert.equal(clock.timers, 0, 'heartbeats stop with the wait');
  });
}

test('when the group re-forms during a wait, the client is told by its own error, so that it joins again', async () => {
  const { handover, member, group, frames, credit, clock, gate } = setUp(4);
  credit.tryTake(4, 0);
  const rebalance = Object.assign(new Error('again'), { type: 'REBALANCE_IN_PROGRESS' });
  group.beat = () => Promise.reject(rebalance);
  const delivered = handover.deliver(member, batch(10, [10]));
  await assert.rejects(clock.run(delivered), rebalance);
  assert.ok(!gate.open, 'the other partitions stop as well');
  assert.deepEqual(frames, []);
  assert.equal(credit.waiting, 0);
});

test('while a batch waits for credit the ends of the partitions are asked for, now and then, whatever the answer', async () => {
  const { handover, member, group, lane, credit, clock, gate } = setUp(4);
  let end = 60;
  let asked = 0;
  let refreshed = 0;
  group.cluster.fetchTopicsOffset = async () => {
    asked++;
    if (asked === 2) throw new Error('not the leader');
    return [{ topic: 't', partitions: [{ partition: 0, offset: String(end) }] }];
  };
  group.cluster.refreshMetadata = async () => {
    refreshed++;
    throw new Error('nobody is there');
  };
  handover.admit([batch(10, [10])]);
  credit.tryTake(4, 0);
  const waits = [handover.deliver(member, batch(10, [10])), handover.deliver(member, batch(10, [10]))];
  await clock.advance(1_000);
  assert.deepEqual([asked, lane.endOffset], [1, 60], 'one question for all that wait');
  end = 90;
  await clock.advance(2_000);
  assert.deepEqual([asked, refreshed, lane.endOffset], [2, 1, 60]);
  await clock.advance(2_000);
  assert.deepEqual([asked, lane.endOffset], [3, 90]);
  end = 80;
  await clock.advance(2_000);
  assert.deepEqual([asked, lane.endOffset], [4, 90], 'a late answer takes nothing back');
  gate.close('closed');
  await clock.run(Promise.all(waits));
  await clock.advance(60_000);
  assert.equal(asked, 4, 'nothing is asked when nobody waits');
  assert.equal(clock.timers, 0);
});

test('a question that is not answered is not asked again, and keeps nobody waiting', async () => {
  const { handover, member, group, frames, credit, clock } = setUp(4);
  let asked = 0;
  group.cluster.fetchTopicsOffset = () => {
    asked++;
    return new Promise(() => {});
  };
  credit.tryTake(4, 0);
  const delivered = handover.deliver(member, batch(10, [10]));
  await clock.advance(60_000);
  assert.equal(asked, 1);
  credit.give(4, 0);
  await clock.run(delivered);
  assert.equal(frames.length, 1);
});
