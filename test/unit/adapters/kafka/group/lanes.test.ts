import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup, OffsetManager } from '../../../../../src/adapters/kafka/client/internals.ts';
import { goTo, Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import type { Origin } from '../../../../../src/kernel/frame.ts';

interface FakeGroup extends ConsumerGroup {
  next(partitions: readonly number[], memberId?: string, generations?: number): FakeGroup;
}

function fakeManager(): OffsetManager & { readonly resolved: Map<number, string> } {
  const resolved = new Map<number, string>();
  const committed: Record<string, Record<number, string>> = {};
  return {
    resolved,
    coordinator: { nodeId: 1, offsetFetch: async () => ({ responses: [] }) },
    commitOffsets: async () => {},
    resolveOffset: ({ partition, offset }) => void resolved.set(partition, String(Number(offset) + 1)),
    committedOffsets: () => committed,
  };
}

function fakeGroup(): FakeGroup {
  const group = {
    memberId: null,
    generationId: null,
    partitions: [] as readonly number[],
    offsetManager: fakeManager(),
  };
  return Object.assign(group, {
    assigned: () => [{ topic: 't', partitions: group.partitions }],
    next(partitions: readonly number[], memberId = 'me', generations = 1) {
      Object.assign(group, {
        partitions,
        memberId,
        generationId: (group.generationId ?? 0) + generations,
        offsetManager: fakeManager(),
      });
      return group as unknown as FakeGroup;
    },
  }) as unknown as FakeGroup;
}

function setUp(): { lanes: Lanes; log: string[] } {
  const log: string[] = [];
  const name = ({ partition, epoch }: Origin): string => `${partition}#${epoch}`;
  const lanes = new Lanes({
    onAssigned: (origin) => log.push(`+${name(origin)}`),
    onRevoked: (origin) => log.push(`-${name(origin)}`),
  });
  return { lanes, log };
}

const at = (lanes: Lanes, partition: number): number | undefined => lanes.of('t', partition)?.position;

test('in the next generation of the same member, what is assigned again keeps epoch and position', () => {
  const { lanes, log } = setUp();
  const group = fakeGroup();
  assert.equal(lanes.assign(group.next([0, 1])), 0);
  for (const lane of lanes.all()) goTo(lane, 40 + lane.origin.partition);
  const kept = lanes.of('t', 1);
  assert.equal(lanes.assign(group.next([1, 2])), 1);
  assert.deepEqual(log, ['+0#1', '+1#2', '-0#1', '+2#3']);
  assert.equal(lanes.of('t', 1), kept);
  assert.equal(at(lanes, 1), 41);
  const manager = group.offsetManager as ReturnType<typeof fakeManager>;
  assert.equal(manager.resolved.get(1), '41', 'the client goes on where the lane stands, not at the committed offset');
  assert.equal(manager.committedOffsets().t[1], '41');
  assert.ok(Number.isNaN(at(lanes, 2)));
});

for (const [title, rejoin] of [
  ['another member id', (group: FakeGroup) => group.next([0], 'somebody else')],
  ['a generation in between, which may have belonged to somebody else', (group: FakeGroup) => group.next([0], 'me', 2)],
  ['another group object: the client crashed', () => fakeGroup().next([0]).next([0])],
] as const) {
  test(`${title} ends every epoch`, () => {
    const { lanes, log } = setUp();
    const group = fakeGroup();
    lanes.assign(group.next([0]));
    assert.equal(lanes.assign(rejoin(group)), 0);
    assert.deepEqual(log, ['+0#1', '-0#1', '+0#2']);
  });
}

test('a lane belongs to a group only while the group has its member id', () => {
  const { lanes } = setUp();
  const group = fakeGroup();
  lanes.assign(group.next([0]));
  assert.ok(lanes.belongTo(group));
  group.memberId = null;
  assert.ok(!lanes.belongTo(group));
  assert.ok(!lanes.belongTo(fakeGroup().next([0])));
});

test('an origin of an epoch that ended finds no lane; a renewed lane is another epoch', () => {
  const { lanes, log } = setUp();
  lanes.assign(fakeGroup().next([0]));
  const lane = lanes.of('t', 0);
  assert.ok(lane);
  assert.equal(lanes.ofOrigin(lane.origin), lane);
  const renewed = lanes.renew(lane);
  assert.equal(lanes.ofOrigin(lane.origin), undefined);
  assert.equal(lanes.of('t', 0), renewed);
  lanes.endAll();
  assert.deepEqual(log, ['+0#1', '-0#1', '+0#2', '-0#2']);
  assert.equal(lanes.size, 0);
});
