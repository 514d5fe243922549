import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Group } from '../../../src/devstack/kafka/group.ts';
import { ERROR } from '../../../src/devstack/kafka/protocol.ts';
import { FakeClock } from '../../fixtures/clock.ts';

const SESSION_MS = 10_000;
const REBALANCE_MS = 30_000;

/** A group, a clock that stands still, and what each member was told, as `id joined generation` and the like. */
function setUp() {
  const clock = new FakeClock();
  const group = new Group((delayMs, fire) => clock.after(delayMs, fire));
  const told: string[] = [];
  /** A new member may only introduce itself, or also come back at once: be admitted. */
  const join = (
    id: string,
    how: 'introduce' | 'admit' | 'known' = 'known',
    protocols = ['range'],
    about = 'topics',
  ) => {
    const metadata = new Map(protocols.map((name): [string, Buffer] => [name, Buffer.from(about)]));
    const timeouts = { sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: REBALANCE_MS };
    const profile = { id, clientId: 'c', ...timeouts, protocolType: 'consumer', protocols: metadata };
    const tell = (errorCode: number) => told.push(`${id} joined ${errorCode || `as of ${group.generation}`}`);
    const introduced = how === 'known' ? ERROR.none : group.join(true, profile, tell);
    const goesOn = how === 'known' || (how === 'admit' && introduced === ERROR.memberIdRequired);
    return goesOn ? group.join(false, profile, tell) : introduced;
  };
  const sync = (id: string, generation: number, plan: Record<string, string> = {}) => {
    const assignments = new Map(Object.entries(plan).map(([to, what]): [string, Buffer] => [to, Buffer.from(what)]));
    return group.sync(id, generation, assignments, (errorCode, what) => told.push(`${id} synced ${errorCode || what}`));
  };
  const hear = (): string[] => told.splice(0);
  return { clock, group, join, sync, hear };
}

/** Two members, `a` leading, in generation 2. */
function stable() {
  const set = setUp();
  set.join('a', 'admit');
  set.sync('a', 1);
  set.join('b', 'admit');
  set.join('a');
  set.sync('a', 2, { a: 'p0', b: 'p1' });
  set.sync('b', 2);
  set.hear();
  assert.equal(set.group.state, 'Stable');
  return set;
}

test('a second member makes the first join again; the leader hands out the assignments', () => {
  const { group, join, sync, hear } = setUp();
  assert.equal(join('a', 'admit'), ERROR.none);
  assert.deepEqual(hear(), ['a joined as of 1']);
  sync('a', 1, { a: 'p0 p1' });
  assert.deepEqual(hear(), ['a synced p0 p1']);
  join('b', 'admit');
  assert.deepEqual(hear(), [], 'b waits for a');
  assert.equal(group.heartbeat('a', 1), ERROR.rebalanceInProgress);
  join('a');
  assert.deepEqual(hear(), ['a joined as of 2', 'b joined as of 2']);
  sync('b', 2);
  assert.deepEqual(hear(), [], 'b waits for the leader');
  sync('a', 2, { a: 'p0', b: 'p1' });
  assert.deepEqual(hear(), ['a synced p0', 'b synced p1']);
  assert.equal(group.state, 'Stable');
});

test('a client without an id is told one and must come back with it; meanwhile a rebalance waits for it', async () => {
  const { clock, group, join, hear } = setUp();
  assert.equal(join('a', 'introduce'), ERROR.memberIdRequired);
  assert.equal(join('other', 'known'), ERROR.unknownMemberId);
  assert.equal(join('b', 'admit'), ERROR.none);
  assert.deepEqual(hear(), []);
  join('a');
  assert.deepEqual(hear(), ['b joined as of 1', 'a joined as of 1']);
  const lone = setUp();
  lone.join('gone', 'introduce');
  lone.join('b', 'admit');
  await lone.clock.advance(SESSION_MS);
  assert.deepEqual(lone.hear(), ['b joined as of 1'], 'who never came back is forgotten');
  assert.equal(lone.join('gone'), ERROR.unknownMemberId);
  group.close();
  assert.equal(clock.timers, 0);
});

test('wrong members and wrong generations are turned away', () => {
  const { group, sync } = stable();
  for (const call of [
    (id: string, generation: number) => group.heartbeat(id, generation),
    (id: string, generation: number) => group.checkCommit(id, generation),
    (id: string, generation: number) => sync(id, generation),
  ]) {
    assert.equal(call('a', 2), ERROR.none);
    assert.equal(call('a', 1), ERROR.illegalGeneration);
    assert.equal(call('stranger', 2), ERROR.unknownMemberId);
  }
  assert.equal(group.leave('stranger'), ERROR.unknownMemberId);
});

test('commits: members until they have joined again, then of the new generation; anyone once the group is empty', () => {
  const { group, join, sync } = stable();
  assert.equal(group.checkCommit('', -1), ERROR.unknownMemberId, 'not while it has members');
  join('c', 'admit');
  assert.equal(group.checkCommit('a', 2), ERROR.none, 'in the middle of a rebalance the old generation may still');
  join('a');
  join('b');
  assert.equal(group.checkCommit('a', 2), ERROR.illegalGeneration);
  assert.equal(group.checkCommit('a', 3), ERROR.rebalanceInProgress);
  sync('a', 3);
  assert.equal(group.checkCommit('a', 3), ERROR.none);
  for (const id of ['a', 'b', 'c']) assert.equal(group.leave(id), ERROR.none);
  for (const id of group.members.keys()) assert.fail(`${id} is still there`);
  assert.equal(group.state, 'Empty');
  assert.equal(group.checkCommit('', -1), ERROR.none);
});

test('a member that goes silent for its session is dropped; heartbeats and commits keep it', async () => {
  const { clock, group, join, hear } = stable();
  await clock.advance(SESSION_MS - 1);
  group.heartbeat('a', 2);
  await clock.advance(SESSION_MS - 1);
  assert.deepEqual([...group.members.keys()], ['a'], 'b was silent');
  assert.equal(group.checkCommit('a', 2), ERROR.none);
  await clock.advance(SESSION_MS - 1);
  assert.equal(group.heartbeat('a', 2), ERROR.rebalanceInProgress);
  join('a');
  assert.deepEqual(hear(), ['a joined as of 3']);
});

test('who does not join again within the rebalance timeout is out; a waiting member outlives its session', async () => {
  const { clock, group, join, hear } = stable();
  join('c', 'admit');
  for (let waited = 0; waited < REBALANCE_MS; waited += 5000) {
    assert.deepEqual(hear(), []);
    group.heartbeat('a', 2);
    group.heartbeat('b', 2);
    await clock.advance(5000);
  }
  assert.deepEqual(hear(), ['c joined as of 3'], 'a and b only sent heartbeats');
  assert.equal(group.leaderId, 'c');
  assert.equal(group.heartbeat('a', 2), ERROR.unknownMemberId);
});

test('a leader that joins but never syncs is dropped, and the others called again', async () => {
  const { clock, group, join, sync, hear } = stable();
  join('b', 'known', ['range'], 'other topics');
  join('a');
  hear();
  sync('b', 3);
  for (let waited = 0; waited < REBALANCE_MS; waited += 5000) {
    group.heartbeat('a', 3);
    await clock.advance(5000);
  }
  assert.deepEqual(hear(), [`b synced ${ERROR.rebalanceInProgress}`]);
  assert.deepEqual([...group.members.keys()], ['b']);
});

test('a follower that joins again unchanged keeps the generation; a leader, or changed topics, start another', () => {
  const { group, join, hear } = stable();
  join('b');
  assert.deepEqual(hear(), ['b joined as of 2']);
  assert.equal(group.state, 'Stable');
  join('a');
  assert.equal(group.state, 'PreparingRebalance');
  join('b');
  assert.deepEqual(hear(), ['a joined as of 3', 'b joined as of 3']);
});

test('the protocol is one that all support; who shares none is refused', () => {
  const { group, join } = setUp();
  join('a', 'admit', ['sticky', 'range']);
  join('b', 'admit', ['range', 'roundrobin']);
  assert.equal(join('c', 'admit', ['roundrobin']), ERROR.inconsistentGroupProtocol);
  join('a', 'known', ['sticky', 'range']);
  assert.equal(group.protocol, 'range');
});

test('when the coordinator moves, those who wait are told', () => {
  const { group, join, sync, hear } = stable();
  join('c', 'admit');
  group.sendAway(ERROR.notCoordinator);
  assert.deepEqual(hear(), ['c joined 16']);
  for (const id of ['c', 'b', 'a']) join(id);
  hear();
  sync('b', 3);
  group.sendAway(ERROR.notCoordinator);
  assert.deepEqual(hear(), ['b synced 16']);
});
