import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup } from '../../../../../src/adapters/kafka/client/internals.ts';
import { createRecovery } from '../../../../../src/adapters/kafka/group/recovery.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

const protocol = (type: string): Error => Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });
const unreached = (): Error => Object.assign(new Error('refused'), { name: 'KafkaJSConnectionError' });

function bench(own: Partial<ConsumerGroup['cluster']> = {}) {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  let refreshed = 0;
  const cluster = {
    refreshMetadata: async () => {
      refreshed++;
    },
    findGroupCoordinator: async () => Promise.reject(unreached()),
    ...own,
  };
  const member = {
    groupId: 'g',
    generationId: 1,
    coordinator: {},
    offsetManager: {},
    cluster,
  } as unknown as ConsumerGroup;
  const deletedTopics = { look: async () => undefined, isBack: async () => false };
  const recovery = createRecovery(
    { clock, telemetry, random: () => 0.5, deletedTopics, onTrouble: () => undefined },
    { groupId: 'g', brokers: ['kafka:9092'], againMs: 100, patienceMs: 250 },
  );
  return { clock, telemetry, member, recovery, refreshes: () => refreshed };
}

for (const thrown of [protocol('NOT_LEADER_FOR_PARTITION'), protocol('LEADER_NOT_AVAILABLE'), unreached()]) {
  test(`a fetch that fails for ${thrown.message} is followed by new metadata, and by nothing else`, async () => {
    const { clock, telemetry, member, recovery, refreshes } = bench();
    const passed = recovery.fromFetch(member, thrown);
    await clock.advance(99);
    assert.equal(refreshes(), 0);
    await clock.advance(1);
    assert.equal(await passed, true);
    assert.equal(refreshes(), 1);
    assert.equal([...telemetry.counters].filter(([name]) => name.includes('kafka-fetch')).length, 1);
  });
}

test('metadata that nobody answers is left to the next fetch', async () => {
  const { clock, member, recovery } = bench({ refreshMetadata: async () => Promise.reject(unreached()) });
  const passed = recovery.fromFetch(member, unreached());
  await clock.advance(100);
  assert.equal(await passed, true);
});

test('what does not pass is left to the client, at once', async () => {
  const { member, recovery, refreshes } = bench();
  for (const type of ['REBALANCE_IN_PROGRESS', 'OFFSET_OUT_OF_RANGE', 'TOPIC_AUTHORIZATION_FAILED'])
    assert.equal(await recovery.fromFetch(member, protocol(type)), false);
  assert.equal(refreshes(), 0);
});

test('a coordinator that cannot be reached holds nobody, is asked one call at a time, and says nothing of the membership', async () => {
  const { clock, member, recovery } = bench();
  let calls = 0;
  const never = (): Promise<void> => {
    calls++;
    return new Promise(() => undefined);
  };
  const [first, second] = [recovery.heartbeat(member, never), recovery.heartbeat(member, never)];
  await clock.advance(250);
  await Promise.all([first, second]);
  assert.equal(calls, 1);

  const other = bench();
  const beat = other.recovery.heartbeat(other.member, async () => Promise.reject(unreached()));
  await other.clock.advance(250);
  await beat;
});

test('what the coordinator says of the membership is told, if late to the next call, and not of a generation that is over', async () => {
  const { clock, member, recovery } = bench();
  await assert.rejects(
    recovery.heartbeat(member, async () => Promise.reject(protocol('REBALANCE_IN_PROGRESS'))),
    { type: 'REBALANCE_IN_PROGRESS' },
  );

  const late = (): { beat: () => Promise<void>; fail: () => void } => {
    let fail = (): void => undefined;
    const answer = new Promise<void>((_, reject) => {
      fail = () => reject(protocol('UNKNOWN_MEMBER_ID'));
    });
    return { beat: () => answer, fail: () => fail() };
  };
  for (const rejoined of [false, true]) {
    const { beat, fail } = late();
    const first = recovery.heartbeat(member, beat);
    await clock.advance(250);
    await first;
    fail();
    await clock.advance(0);
    if (rejoined) member.generationId = 2;
    const next = recovery.heartbeat(member, async () => undefined);
    if (rejoined) await next;
    else await assert.rejects(next, { type: 'UNKNOWN_MEMBER_ID' });
  }
});

test('a join is tried until it succeeds, is over, or fails for good', async () => {
  const { clock, recovery } = bench();
  let attempts = 0;
  const joined = recovery.join(
    async () => {
      if (++attempts < 3) throw unreached();
    },
    () => false,
  );
  await clock.advance(100);
  await clock.advance(100);
  await joined;
  assert.equal(attempts, 3);
  const refused = protocol('GROUP_AUTHORIZATION_FAILED');
  await assert.rejects(
    recovery.join(
      async () => Promise.reject(refused),
      () => false,
    ),
    refused,
  );
  await assert.rejects(
    recovery.join(
      async () => Promise.reject(unreached()),
      () => true,
    ),
    { message: 'refused' },
  );
});
