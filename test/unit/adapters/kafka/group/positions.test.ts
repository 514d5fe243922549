import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommitTopic, ConsumerGroup, OffsetManager } from '../../../../../src/adapters/kafka/client/internals.ts';
import { createCommitter } from '../../../../../src/adapters/kafka/group/committer.ts';
import { Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import { createPositions } from '../../../../../src/adapters/kafka/group/positions.ts';
import { createQuarantineNotes } from '../../../../../src/adapters/kafka/group/quarantine-notes.ts';
import type { Origin } from '../../../../../src/kernel/frame.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

/** A group of one member with two partitions, and what was asked for, in order. */
function setUp(from: 'earliest' | 'latest' = 'earliest') {
  const asked: string[] = [];
  let committed = [-1, -1];
  const manager = {
    resolveOffset: () => undefined,
    committedOffsets: () => ({}),
    commitOffsets: async () => undefined,
  } as unknown as OffsetManager;
  const group = {
    memberId: 'me',
    generationId: 1,
    offsetManager: manager,
    partitionsPerSubscribedTopic: new Map([['in', [0, 1]]]),
    assigned: () => [{ topic: 'in', partitions: [0, 1] }],
    coordinator: {
      nodeId: 1,
      offsetFetch: async () => {
        asked.push('offsets');
        const partitions = committed.map((offset, partition) => ({ partition, offset: String(offset) }));
        return { responses: [{ topic: 'in', partitions }] };
      },
    },
    cluster: {
      fetchTopicsOffset: async ([{ fromBeginning }]: { fromBeginning: boolean }[]) => [
        { topic: 'in', partitions: [{ partition: 0, offset: fromBeginning ? '3' : '9' }] },
      ],
    },
  } as unknown as ConsumerGroup;
  const lanes = new Lanes({ onAssigned: () => undefined, onRevoked: () => undefined });
  lanes.assign(group);
  const positions = createPositions(
    {
      lanes,
      telemetry: new RecordingTelemetry(),
      store: async () => undefined,
      ownership: {
        async take(origins: readonly Origin[]) {
          asked.push(`take ${origins.map(({ partition, epoch }) => `${partition}#${epoch}`).join(' ')}`);
          await Promise.resolve();
          // What the owner before had begun to commit is settled by being taken over.
          committed = [7, 8];
          asked.push('taken');
        },
        release: () => undefined,
      },
    },
    { groupId: 'g', from, quarantine: false },
  );
  return { asked, group, lanes, positions };
}

test('partitions are taken over before their offsets are asked for, because that may move them', async () => {
  const { asked, group, lanes, positions } = setUp();
  await positions.ensure(group);
  assert.deepEqual(asked, ['take 0#1 1#2', 'taken', 'offsets']);
  assert.deepEqual(
    [0, 1].map((partition) => lanes.of('in', partition)?.position),
    [7, 8],
  );
  await positions.ensure(group);
  assert.equal(asked.length, 3, 'who stays the owner is not asked again');
});

test('a lane that begins anew is taken over anew, and so is one that was reset', async () => {
  const { asked, group, lanes, positions } = setUp('latest');
  await positions.ensure(group);
  asked.length = 0;
  const lane = lanes.of('in', 0);
  assert.ok(lane);
  lanes.renew(lane);
  await positions.ensure(group);
  assert.deepEqual(asked, ['take 0#3', 'taken', 'offsets']);
  asked.length = 0;
  const renewed = lanes.of('in', 0);
  assert.ok(renewed);
  await positions.reset(group, renewed);
  assert.deepEqual(asked, ['take 0#4', 'taken']);
  assert.equal(lanes.of('in', 0)?.position, 9);
});

test('the note of a start whose answer was lost is no death', async () => {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  let beside: { readonly offset: string; readonly metadata?: string } = { offset: '7' };
  let answers = false;
  const member = {
    memberId: 'me',
    generationId: 1,
    offsetManager: {
      resolveOffset: () => undefined,
      committedOffsets: () => ({}),
      commitOffsets: async ({ topics }: { topics: readonly CommitTopic[] }) => {
        beside = topics[0].partitions[0];
        if (!answers) throw Object.assign(new Error('no answer'), { name: 'KafkaJSRequestTimeoutError' });
      },
    },
    assigned: () => [{ topic: 'in', partitions: [0] }],
    coordinator: {
      nodeId: 1,
      offsetFetch: async () => ({ responses: [{ topic: 'in', partitions: [{ partition: 0, ...beside }] }] }),
    },
  };
  const group = member as unknown as ConsumerGroup;
  const lanes = new Lanes({ onAssigned: () => undefined, onRevoked: () => undefined });
  lanes.assign(group);
  const note = createQuarantineNotes({ frameRecords: 4, maxRecords: 100 });
  const { store } = createCommitter(
    { clock, lanes, telemetry, note, group: () => group },
    { groupId: 'g', brokers: [] },
  );
  const positions = createPositions({ lanes, telemetry, store }, { groupId: 'g', from: 'earliest', quarantine: true });
  await assert.rejects(clock.run(positions.ensure(group)), /no answer/);
  assert.match(beside.metadata ?? '', /at-work$/, 'it was stored all the same');
  answers = true;
  await clock.run(positions.ensure(group));
  const lane = lanes.of('in', 0);
  assert.deepEqual([lane?.position, lane?.suspicion.deaths], [7, 0]);
  assert.deepEqual(telemetry.eventsNamed('quarantine-entered'), []);
});
