import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup } from '../../../../../src/adapters/kafka/client/internals.ts';
import { Gate } from '../../../../../src/adapters/kafka/group/gate.ts';
import { createHeartbeats, withCoordinator } from '../../../../../src/adapters/kafka/group/heartbeats.ts';
import { createWatchdog } from '../../../../../src/adapters/kafka/group/watchdog.ts';
import { Credit } from '../../../../../src/kernel/credit.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';

test('a gate is open when no reason is left, and shutting it ends the waits behind it', async () => {
  const gate = new Gate();
  assert.ok(!gate.open);
  gate.reopen('not joined');
  assert.ok(gate.open);
  const credit = new Credit({ maxRecords: 1, maxBytes: 1 });
  credit.tryTake(1, 1);
  const waits = [1, 2].map(() => gate.whileOpen((signal) => credit.take(1, 1, signal)));
  gate.close('a');
  gate.close('b');
  assert.deepEqual(await Promise.all(waits), [false, false]);
  assert.equal(credit.waiting, 0);
  gate.reopen('a');
  assert.deepEqual([gate.open, gate.reasons], [false, ['b']]);
  assert.equal(await gate.whileOpen((signal) => credit.take(1, 1, signal)), false, 'none begins while shut');
});

const groupThat = (heartbeat: () => Promise<void>): ConsumerGroup => ({ heartbeat }) as unknown as ConsumerGroup;
const protocol = (type: string) => Object.assign(new Error(type), { type });

test('heartbeats go on exactly as long as the wait, through a broker that is away', async () => {
  const clock = new FakeClock();
  let sent = 0;
  let beats = 0;
  const group = groupThat(async () => {
    if (++sent === 2) throw Object.assign(new Error('away'), { name: 'KafkaJSConnectionError' });
  });
  const heartbeats = createHeartbeats({ clock, onBeat: () => beats++ }, { intervalMs: 300 });
  const wait = Promise.withResolvers<string>();
  const during = heartbeats.during(group, wait.promise, () => assert.fail('the membership was not lost'));
  await clock.advance(550);
  assert.deepEqual([sent, beats], [5, 4]);
  wait.resolve('done');
  assert.equal(await clock.run(during), 'done');
  await clock.advance(1_000);
  assert.equal(sent, 5);
  assert.equal(clock.timers, 0);
});

test('a lost membership is told once', async () => {
  const clock = new FakeClock();
  const lost: unknown[] = [];
  const heartbeats = createHeartbeats({ clock, onBeat: () => {} }, { intervalMs: 300 });
  const wait = Promise.withResolvers<void>();
  const group = groupThat(async () => {
    throw protocol('REBALANCE_IN_PROGRESS');
  });
  const during = heartbeats.during(group, wait.promise, (error) => lost.push(error));
  await clock.advance(1_000);
  wait.resolve();
  await clock.run(during);
  assert.equal(lost.length, 1);
});

test('a request to a coordinator that moved is repeated at the new one, once', async () => {
  const before = { nodeId: 1 };
  const after = { nodeId: 2 };
  const group = {
    groupId: 'g',
    coordinator: before,
    offsetManager: { coordinator: before },
    cluster: { findGroupCoordinator: async () => after },
  } as unknown as ConsumerGroup;
  const moved: number[] = [];
  const ask = async (): Promise<string> => {
    if (group.coordinator !== (after as unknown)) throw protocol('NOT_COORDINATOR_FOR_GROUP');
    return 'ok';
  };
  assert.equal(await withCoordinator(group, ask, (node) => moved.push(node)), 'ok');
  assert.equal(group.offsetManager.coordinator, after);
  assert.deepEqual(moved, [2]);
  let asked = 0;
  const never = async (): Promise<void> => {
    asked++;
    throw protocol('NOT_COORDINATOR_FOR_GROUP');
  };
  await assert.rejects(withCoordinator(group, never, () => {}));
  assert.equal(asked, 2);
  await assert.rejects(
    withCoordinator(
      group,
      () => Promise.reject(protocol('UNKNOWN_MEMBER_ID')),
      () => assert.fail('not a move'),
    ),
  );
});

test('the watchdog bites after silence, but not while somebody waits for a declared reason', async () => {
  const clock = new FakeClock();
  const dead: number[] = [];
  let waiting = true;
  const watchdog = createWatchdog(
    { clock, excused: () => waiting, onDead: (ms) => dead.push(ms) },
    { deadAfterMs: 1_000 },
  );
  watchdog.start();
  await clock.advance(5_000);
  waiting = false;
  await clock.advance(700);
  watchdog.touch();
  await clock.advance(900);
  assert.deepEqual(dead, []);
  await clock.advance(600);
  assert.equal(dead.length, 1);
  await clock.advance(5_000);
  assert.equal(dead.length, 1);
  assert.equal(clock.timers, 0);
});
