import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { createEnds } from '../../../../src/adapters/kafka/ends.ts';
import { fetchMemory } from '../../../../src/adapters/kafka/fetch-memory.ts';
import { Gate } from '../../../../src/adapters/kafka/gate.ts';
import { createHandover } from '../../../../src/adapters/kafka/handover.ts';
import { createHeartbeats } from '../../../../src/adapters/kafka/heartbeats.ts';
import type {
  ConsumerGroup,
  FetchedBatch,
  FetchedMessage,
  TopicOffsets,
} from '../../../../src/adapters/kafka/internals.ts';
import { goTo, type Lane, Lanes } from '../../../../src/adapters/kafka/lanes.ts';
import { createLease } from '../../../../src/adapters/kafka/lease.ts';
import { createNotes } from '../../../../src/adapters/kafka/notes.ts';
import {
  type ClientDecoder,
  decodeBatches,
  decodeMessages,
  freshBudget,
} from '../../../../src/adapters/kafka/record-batches.ts';
import { createWaits } from '../../../../src/adapters/kafka/waits.ts';
import { Credit } from '../../../../src/kernel/credit.ts';
import type { Frame } from '../../../../src/kernel/frame.ts';
import type { RecordRange } from '../../../../src/kernel/record-columns.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { batchOf } from '../../../fixtures/kafka/batches.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const Decoder = createRequire(import.meta.url)('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => ClientDecoder;

function setUp(maxRecords = 100, maxBytes = 1_000) {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const credit = new Credit({ maxRecords, maxBytes });
  const gate = new Gate();
  gate.reopen('not joined');
  const lanes = new Lanes({ onAssigned: () => {}, onRevoked: () => {} });
  const committed = {};
  const group = {
    memberId: 'me',
    generationId: 1,
    beat: async () => {},
    heartbeat: () => group.beat(),
    offsetManager: { resolveOffset: () => {}, committedOffsets: () => committed },
    assigned: () => [{ topic: 't', partitions: [0] }],
    cluster: { fetchTopicsOffset: async (): Promise<TopicOffsets[]> => [], refreshMetadata: async () => {} },
  };
  const member = group as unknown as ConsumerGroup;
  lanes.assign(member);
  const lane = lanes.of('t', 0) as Lane;
  goTo(lane, 10);
  const frames: Frame[] = [];
  const heartbeats = createHeartbeats({ clock, onBeat: () => {} }, { intervalMs: 300 });
  const ends = createEnds({ clock, lanes, gate, telemetry }, { everyMs: 2_000 });
  const onFrame = (frame: Frame) => frames.push(frame);
  const waits = createWaits({ gate, heartbeats, ends });
  const stored: string[] = [];
  const note = createNotes({ frameRecords: 4, maxRecords });
  const store = async (list: readonly (readonly [Lane, number])[]): Promise<void> => {
    for (const [of, offset] of list) stored.push(`${offset} ${note(of, offset)}`);
  };
  const alone: { readonly frame: Frame; readonly settle: () => void }[] = [];
  const onAlone = (frame: Frame): Promise<void> =>
    new Promise((resolve) => {
      const settle = (): void => {
        frame.unsettled = 0;
        credit.give(frame.count, frame.bytes);
        resolve();
      };
      alone.push({ frame, settle });
    });
  const held = { is: false };
  const isHeld = (): boolean => held.is;
  const lease = createLease({ clock }, { sessionTimeoutMs: 1_000_000 });
  lease.renew(clock.monotonicMs());
  const deps = { credit, clock, telemetry, lanes, gate, waits, lease, store, onFrame, onAlone, isHeld };
  const handover = createHandover(deps, { frameRecords: 4, frameBytes: 1_000 });
  return {
    waits,
    lease,
    stored,
    alone,
    held,
    clock,
    telemetry,
    credit,
    gate,
    lanes,
    lane,
    group,
    member,
    frames,
    handover,
  };
}

function batch(fetchedOffset: number, offsets: readonly number[], raw = offsets): FetchedBatch {
  const messages = (list: readonly number[]): FetchedMessage[] =>
    list.map((offset) => ({ offset: String(offset), timestamp: '7', key: null, value: Buffer.from('v') }));
  return {
    topic: 't',
    partition: 0,
    fetchedOffset: String(fetchedOffset),
    highWatermark: '50',
    rawMessages: messages(raw),
    messages: messages(offsets),
    lastOffset: () => String(raw.at(-1)),
  };
}

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

test('frames have copies: the memory of a fetch is lent again once all of it was handed over, and not before', async () => {
  const { handover, member, frames } = setUp(100, 1_000_000);
  const values = Array.from({ length: 3 }, (_, i) => String(i).repeat(30_000));
  const one = await batchOf(values.map((text) => ({ value: Buffer.from(text) })));
  one.writeBigInt64BE(10n, 0);
  const response = fetchMemory.response(4 + one.length);
  response.writeInt32BE(one.length);
  one.copy(response, 4);
  const messages = await decodeMessages(new Decoder(response), async () => assert.fail());
  const fetched = { ...batch(10, []), messages, rawMessages: messages };
  const unknown = { ...batch(10, []), partition: 7, rawMessages: [] };
  assert.deepEqual(handover.admit([unknown, fetched]), [fetched]);
  const meanwhile = fetchMemory.response(response.length);
  assert.notEqual(meanwhile.buffer, response.buffer);
  await handover.deliver(member, fetched);
  const again = fetchMemory.response(response.length);
  assert.equal(again.buffer, response.buffer);
  again.fill(0xdb);
  (messages[0].records as RecordRange).columns.valueStart.fill(-1);
  assert.deepEqual(
    frames.flatMap(({ arena, valueStart, valueEnd, count }) =>
      Array.from({ length: count }, (_, i) => arena.toString('latin1', valueStart[i], valueEnd[i])),
    ),
    values,
  );
});

test('a fetch whose hand-over failed is left to the garbage collector', async () => {
  const { handover, member, lane, group, credit, clock } = setUp(100, 1_000_000);
  const one = await batchOf([{ value: Buffer.alloc(100_000) }]);
  one.writeBigInt64BE(10n, 0);
  const response = fetchMemory.response(4 + one.length);
  response.writeInt32BE(one.length);
  one.copy(response, 4);
  const messages = await decodeMessages(new Decoder(response), async () => assert.fail());
  const fetched = { ...batch(10, []), messages, rawMessages: messages };
  handover.admit([fetched]);
  const rebalance = Object.assign(new Error('again'), { type: 'REBALANCE_IN_PROGRESS' });
  group.beat = () => Promise.reject(rebalance);
  credit.tryTake(credit.maxRecords, 0);
  await assert.rejects(clock.run(handover.deliver(member, fetched)), rebalance);
  assert.equal(lane.position, 10);
  assert.notEqual(fetchMemory.response(response.length).buffer, response.buffer);
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
