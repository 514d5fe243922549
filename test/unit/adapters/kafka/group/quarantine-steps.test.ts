import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  ConsumerGroup,
  FetchedBatch,
  FetchedMessage,
} from '../../../../../src/adapters/kafka/client/internals.ts';
import { createEndOffsets } from '../../../../../src/adapters/kafka/group/end-offsets.ts';
import { Gate } from '../../../../../src/adapters/kafka/group/gate.ts';
import { createHeartbeats } from '../../../../../src/adapters/kafka/group/heartbeats.ts';
import { goTo, type Lane, Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import { createLease } from '../../../../../src/adapters/kafka/group/lease.ts';
import { createQuarantineNotes } from '../../../../../src/adapters/kafka/group/quarantine-notes.ts';
import { createQuarantineSteps } from '../../../../../src/adapters/kafka/group/quarantine-steps.ts';
import { createWaits } from '../../../../../src/adapters/kafka/group/waits.ts';
import { Credit } from '../../../../../src/kernel/credit.ts';
import { REASONS } from '../../../../../src/kernel/fate.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

/** Two lanes at offset 10, frames of four; what is stored is kept as text. */
function setUp() {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const credit = new Credit({ maxRecords: 100, maxBytes: 1_000 });
  const gate = new Gate();
  gate.reopen('not joined');
  const lanes = new Lanes({ onAssigned: () => {}, onRevoked: () => {} });
  const group = {
    memberId: 'me',
    generationId: 1,
    heartbeat: async () => {},
    offsetManager: { resolveOffset: () => {}, committedOffsets: () => ({}) },
    assigned: () => [{ topic: 't', partitions: [0, 1] }],
    cluster: { fetchTopicsOffset: async () => [], refreshMetadata: async () => {} },
  } as unknown as ConsumerGroup;
  lanes.assign(group);
  const [first, second] = [0, 1].map((partition) => lanes.of('t', partition) as Lane);
  for (const lane of [first, second]) goTo(lane, 10);
  const ends = createEndOffsets({ clock, lanes, gate, telemetry }, { everyMs: 2_000 });
  const heartbeats = createHeartbeats({ clock, onBeat: () => {} }, { intervalMs: 300 });
  const waits = createWaits({ gate, heartbeats, ends });
  const lease = createLease({ clock }, { sessionTimeoutMs: 1_000_000 });
  lease.renew(clock.monotonicMs());
  const note = createQuarantineNotes({ frameRecords: 4, maxRecords: 100 });
  const stored: string[][] = [];
  const world = { held: false, refuses: undefined as Error | undefined };
  const store = async (list: readonly (readonly [Lane, number])[]): Promise<void> => {
    if (world.refuses) throw world.refuses;
    stored.push(list.map(([lane, offset]) => `${lane.origin.partition}@${offset} ${note(lane, offset).slice(9)}`));
  };
  const alone: { readonly frame: Frame; readonly settle: () => void; readonly letGo: () => void }[] = [];
  const onAlone = (frame: Frame): Promise<void> =>
    new Promise((resolve) => {
      const settle = (): void => {
        frame.unsettled = 0;
        credit.give(frame.count, frame.bytes);
        resolve();
      };
      alone.push({ frame, settle, letGo: resolve });
    });
  const steps = createQuarantineSteps(
    { credit, clock, telemetry, lanes, gate, waits, lease, store, onAlone, isHeld: () => world.held },
    { maxRecords: 4, maxBytes: 1_000, maxRecordBytes: 1_000 },
  );
  const next = async (lane: Lane, from = 0) => {
    const then = await steps.next(group, lane, batch(lane, [10, 11, 12, 13, 14, 15]), { message: from, record: 0 });
    return then?.message;
  };
  return { clock, telemetry, credit, gate, lanes, first, second, stored, world, alone, next };
}

function batch(lane: Lane, offsets: readonly number[]): FetchedBatch {
  const messages = offsets.map(
    (offset): FetchedMessage => ({ offset: String(offset), timestamp: '7', key: null, value: Buffer.from('v') }),
  );
  return {
    ...lane.origin,
    fetchedOffset: String(offsets[0]),
    highWatermark: '50',
    rawMessages: messages,
    messages,
    lastOffset: () => String(offsets.at(-1)),
  };
}

test('after one death a frame is accused before it is handed over, and the rest waits until it is settled', async () => {
  const { clock, first, stored, alone, next } = setUp();
  first.suspicion = { deaths: 1, until: 16 };
  const step = next(first);
  await clock.advance(10);
  assert.deepEqual(stored, [['0@10 deaths=1 until=14 at-work']]);
  assert.deepEqual([...(alone[0].frame.offsets ?? [])], [10, 11, 12, 13]);
  alone[0].settle();
  assert.equal(await clock.run(step), 4);
  const last = next(first, 4);
  await clock.advance(10);
  alone[1].settle();
  assert.equal(await clock.run(last), 6);
  assert.equal(
    stored.at(-1)?.[0].startsWith('0@16 deaths=0'),
    true,
    'somebody is at work, before anything goes unaccused',
  );
  assert.equal(first.suspicion.deaths, 0);
  assert.equal(clock.timers, 0);
});

test('steps of two partitions take turns; the commit that accuses one acquits the other', async () => {
  const { clock, first, second, stored, alone, next } = setUp();
  for (const lane of [first, second]) lane.suspicion = { deaths: 2, until: 14 };
  const steps = [next(first), next(second)];
  await clock.advance(10);
  assert.equal(alone.length, 1);
  alone[0].settle();
  await clock.advance(10);
  assert.deepEqual(stored, [
    ['0@10 deaths=2 until=14 at-work'],
    ['0@11 deaths=2 until=14 at-rest', '1@10 deaths=2 until=14 at-work'],
  ]);
  assert.deepEqual(
    alone.map(({ frame }) => frame.count),
    [1, 1],
  );
  alone[1].settle();
  assert.deepEqual(await clock.run(Promise.all(steps)), [1, 1]);
});

test('after four deaths the record is dead-lettered unprocessed, and the ones behind it go one by one', async () => {
  const { clock, first, telemetry, alone, next } = setUp();
  first.suspicion = { deaths: 4, until: 14 };
  const step = next(first);
  await clock.advance(10);
  const [{ frame, settle }] = alone;
  assert.deepEqual([frame.count, REASONS[frame.reason[0]]], [1, 'quarantined']);
  settle();
  assert.equal(await clock.run(step), 1);
  assert.equal(telemetry.eventsNamed('quarantined').length, 1);
  assert.deepEqual(first.suspicion, { deaths: 2, until: 14 });
});

test('what waits for the world outside is not accused meanwhile', async () => {
  const { clock, first, stored, world, alone, next } = setUp();
  first.suspicion = { deaths: 3, until: 14 };
  const step = next(first);
  await clock.advance(10);
  world.held = true;
  await clock.advance(300);
  world.held = false;
  await clock.advance(300);
  assert.deepEqual(
    stored.map(([each]) => each),
    ['at-work', 'at-rest', 'at-work'].map((at) => `0@10 deaths=3 until=14 ${at}`),
  );
  alone[0].settle();
  await clock.run(step);
});

test('nothing is handed over that could not be accused, and no credit or turn is kept', async () => {
  const { clock, credit, first, second, world, alone, next } = setUp();
  for (const lane of [first, second]) lane.suspicion = { deaths: 1, until: 14 };
  world.refuses = new Error('the coordinator is away');
  await assert.rejects(next(first), /away/);
  assert.deepEqual([alone.length, credit.records, first.position], [0, 0, 10]);
  world.refuses = undefined;
  const step = next(second);
  await clock.advance(10);
  assert.equal(alone.length, 1);
  alone[0].settle();
  await clock.run(step);
});

test('a gate that shuts ends the wait, not the step: the turn goes on when it is settled', async () => {
  const { clock, gate, first, second, alone, next } = setUp();
  for (const lane of [first, second]) lane.suspicion = { deaths: 1, until: 14 };
  const step = next(first);
  await clock.advance(10);
  gate.close('re-joining');
  assert.equal(await clock.run(step), undefined);
  gate.reopen('re-joining');
  const other = next(second);
  await clock.advance(10);
  assert.equal(alone.length, 1, 'the first one is still under way');
  alone[0].settle();
  await clock.advance(10);
  assert.equal(alone.length, 2);
  alone[1].settle();
  assert.equal(await clock.run(other), 4);
});

test('behind a record that was let go no further one is noted: its note would commit past it', async () => {
  const { clock, first, stored, alone, next } = setUp();
  first.suspicion = { deaths: 2, until: 14 };
  const step = next(first);
  await clock.advance(10);
  alone[0].letGo();
  assert.equal(await clock.run(step), undefined);
  assert.deepEqual(stored, [['0@10 deaths=2 until=14 at-work']]);
});
