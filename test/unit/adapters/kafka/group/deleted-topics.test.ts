import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup } from '../../../../../src/adapters/kafka/client/internals.ts';
import { createDeletedTopics } from '../../../../../src/adapters/kafka/group/deleted-topics.ts';
import { Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

const MISSING = Object.assign(new Error('unknown topic'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
const UNREACHED = Object.assign(new Error('refused'), { name: 'KafkaJSConnectionError' });

/** Partitions 0 and 1 of `in`, at offset 5, and what a broker says of the topic. */
function bench() {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const log: string[] = [];
  const lanes = new Lanes({
    onAssigned: ({ partition, epoch }) => log.push(`+${partition}#${epoch}`),
    onRevoked: ({ partition, epoch }) => log.push(`-${partition}#${epoch}`),
  });
  let said: Error | undefined;
  const broker = { metadata: async () => (said === undefined ? {} : Promise.reject(said)) };
  const member = {
    memberId: 'm',
    generationId: 1,
    assigned: () => [{ topic: 'in', partitions: [0, 1] }],
    offsetManager: { committedOffsets: () => ({}), resolveOffset: () => undefined },
    cluster: { getNodeIds: () => ['1', '2'], findBroker: async () => broker },
  } as unknown as ConsumerGroup;
  lanes.assign(member);
  for (const lane of lanes.all()) lane.position = 5;
  log.length = 0;
  const deletedTopics = createDeletedTopics({ clock, telemetry, lanes }, { policy: 'earliest', certainAfterMs: 1_000 });
  return {
    clock,
    telemetry,
    log,
    lanes,
    deletedTopics,
    member,
    say: (error?: Error) => {
      said = error;
    },
  };
}

test('a topic that stays missing loses its positions, each in a new epoch, and is counted', async () => {
  const { clock, telemetry, log, lanes, deletedTopics, member, say } = bench();
  say(MISSING);
  await deletedTopics.look(member);
  await clock.advance(999);
  await deletedTopics.look(member);
  assert.deepEqual(log, []);
  await clock.advance(1);
  await deletedTopics.look(member);
  assert.deepEqual(log, ['-0#1', '+0#3', '-1#2', '+1#4']);
  assert.ok([...lanes.all()].every(({ position }) => Number.isNaN(position)));
  assert.equal(telemetry.count('sluice_offset_resets_total', { policy: 'earliest' }), 2);
  await deletedTopics.look(member);
  assert.equal(telemetry.eventsNamed('topic-gone').length, 1);

  assert.equal(await deletedTopics.isBack(member), false);
  say();
  assert.equal(await deletedTopics.isBack(member), true);
  assert.equal(await deletedTopics.isBack(member), false, 'once');
});

test('a topic that a broker knows again in time, and brokers that cannot be reached, cost no position', async () => {
  for (const meanwhile of [undefined, UNREACHED]) {
    const { clock, log, deletedTopics, member, say } = bench();
    say(MISSING);
    await deletedTopics.look(member);
    await clock.advance(900);
    say(meanwhile);
    await deletedTopics.look(member);
    await clock.advance(900);
    say(MISSING);
    await deletedTopics.look(member);
    assert.deepEqual(log, []);
    assert.equal(await deletedTopics.isBack(member), false);
  }
});

test('a topic that was missing for a moment long ago is not taken for gone at the next moment', async () => {
  const { clock, log, deletedTopics, member, say } = bench();
  for (let hour = 0; hour < 3; hour++) {
    say(MISSING);
    await deletedTopics.look(member);
    // It is fetched again, and nobody looks.
    say();
    await clock.advance(3_600_000);
  }
  assert.deepEqual(log, []);
});
