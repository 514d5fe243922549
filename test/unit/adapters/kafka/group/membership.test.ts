import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup } from '../../../../../src/adapters/kafka/client/internals.ts';
import { Gate } from '../../../../../src/adapters/kafka/group/gate.ts';
import { createHeartbeats } from '../../../../../src/adapters/kafka/group/heartbeats.ts';
import { Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import { createLease } from '../../../../../src/adapters/kafka/group/lease.ts';
import { createMembership } from '../../../../../src/adapters/kafka/group/membership.ts';
import type { Deadline } from '../../../../../src/kernel/deadline.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

const FENCED = Object.assign(new Error('who are you?'), { type: 'UNKNOWN_MEMBER_ID' });
const DRAIN_MS = 1_000;

/** A member of one partition whose drains take until their deadline; what happens, in order. */
async function bench() {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const gate = new Gate();
  const log: string[] = [];
  const lanes = new Lanes({
    onAssigned: ({ epoch }) => log.push(`+${epoch}`),
    onRevoked: ({ epoch }) => log.push(`-${epoch}`),
  });
  const client = {
    memberId: 'first',
    generationId: 0,
    lastRequest: 0,
    refuses: undefined as Error | undefined,
    heartbeats: 0,
    searchMs: 0,
    leave: async () => void log.push('leave'),
    heartbeat: async () => {
      client.heartbeats++;
      if (client.refuses) throw client.refuses;
    },
    offsetManager: { committedOffsets: () => ({}), resolveOffset: () => undefined },
    assigned: () => [{ topic: 'in', partitions: [0] }],
  };
  const membership = createMembership(
    {
      clock,
      telemetry,
      lanes,
      gate,
      heartbeats: createHeartbeats({ clock, onBeat: () => undefined }, { intervalMs: 30 }),
      ends: { look: () => undefined, during: (_, work) => work },
      positions: {
        ensure: () => new Promise((resolve) => clock.after(client.searchMs, resolve)),
        reset: async () => undefined,
      },
      handover: { admit: (batches) => [...batches], deliver: async () => undefined },
      lease: createLease({ clock }, { sessionTimeoutMs: 10_000 }),
      recovery: { join: (join) => join(), heartbeat: (_, beat) => beat(), fromFetch: async () => true },
      release: async () => void log.push('release'),
      onRevoking: (deadline: Deadline) =>
        new Promise((resolve) => clock.after(deadline.remainingMs() + 5, () => resolve(false))),
      onFailed: (thrown) => assert.fail(String(thrown)),
      onJoined: () => undefined,
      onAnswered: () => undefined,
      onActivity: () => undefined,
    },
    { groupId: 'g', drainMs: DRAIN_MS, maxWaitMs: 10 },
  );
  const join = (memberId: string): Promise<void> =>
    membership.join(client as unknown as ConsumerGroup, async () => {
      log.push('join');
      client.refuses = undefined;
      client.memberId = memberId;
      client.generationId++;
      membership.joined();
    });
  await clock.run(join('first'));
  log.length = 0;
  return { clock, client, log, join, membership };
}

test('a member that is fenced while it drains says nothing of its next epochs when the drain ends', async () => {
  const { clock, client, log, join } = await bench();
  const joined = join('second');
  client.refuses = FENCED;
  await clock.run(joined);
  await clock.advance(2 * DRAIN_MS);
  assert.deepEqual(log, ['join', '-1', '+2'], 'who is at work there, would be noted to be at rest');
});

test('a drain that meets its deadline notes before the join that nobody died', async () => {
  const { clock, log, join } = await bench();
  await clock.run(join('first'));
  await clock.advance(2 * DRAIN_MS);
  assert.deepEqual(log, ['release', 'join']);
});

test('the membership is kept while it takes long to find where to begin', async () => {
  const { clock, client, join } = await bench();
  await clock.run(join('first'));
  client.searchMs = 20_000;
  const before = client.heartbeats;
  await clock.run(join('second'));
  assert.ok(client.heartbeats - before >= 20_000 / 30, `${client.heartbeats - before} heartbeats`);
  assert.equal(clock.timers, 0);
});

test('closed while it looks for where to begin, a member leaves the group again, and the join is none', async () => {
  const { clock, client, log, join, membership } = await bench();
  client.searchMs = 500;
  const refused = assert.rejects(join('first'), /group g was left again: the source was closed while it joined/);
  // Behind the drain and the join, before the answer.
  await clock.advance(DRAIN_MS + 100);
  assert.equal(log.at(-1), 'join');
  membership.closing();
  await clock.run(refused);
  assert.deepEqual(log.slice(1), ['join', 'release', '-1', 'leave']);
  assert.equal(clock.timers, 0);
});
