import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pause } from '../../src/kernel/clock.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { lazyBench, numbered } from './bench-broker.ts';
import type { Member } from './member.ts';
import type { BrokerUnderTest } from './source-sink.ts';

const LIMIT = { timeout: 90_000 };

/** Resolves when a callback of any member made `condition` true. */
function untilAny(members: readonly Member[], condition: () => boolean): Promise<void> {
  return Promise.race(members.map((member) => member.until(condition)));
}

/** What members promise each other (law L6). */
export function groupConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  describe(`${name}: group`, () => {
    const bench = lazyBench(start);

    test('a member without credit for longer than its session stays a member', LIMIT, async () => {
      const { broker, fresh, topic, produce, member, admin } = await bench();
      const sessionTimeoutMs = broker.minSessionMs ?? 6_000;
      const name = await topic(1);
      await produce(name, numbered(100, 1));
      const groupId = fresh('group');
      const credit = { maxRecords: 10, maxBytes: 1 << 20 };
      const reader = member({ topics: [name], groupId, credit, sessionTimeoutMs, heartbeatMs: sessionTimeoutMs / 5 });
      reader.settling = 'never';
      await reader.start();
      await reader.until(() => reader.rows().length === 10);
      // The one thing that shows a heartbeat is that time passes without an eviction.
      await pause(createSystemClock(), 1.5 * sessionTimeoutMs);
      const { groups } = await admin.describeGroups([groupId]);
      assert.equal(groups[0].state, 'Stable');
      assert.equal(groups[0].members.length, 1);
      assert.equal(reader.assigned.length, 1);
      assert.deepEqual(reader.revoked, []);
      reader.settling = 'now';
      reader.settleHeld();
      await reader.until(() => reader.rows().length === 100);
      await reader.commit();
    });

    test(
      'when a second member joins under load, the first drains, and every record is handed over once',
      LIMIT,
      async () => {
        const { fresh, topic, produce, member } = await bench();
        const name = await topic(6);
        const groupId = fresh('group');
        const credit = { maxRecords: 300, maxBytes: 1 << 20 };
        await produce(name, numbered(3_000, 6));
        const options = { topics: [name], groupId, credit, frameRecords: 25 };
        const first = member(options);
        first.settling = 'drain';
        await first.start();
        await first.until(() => first.rows().length > 250);
        const second = member(options);
        const joined = second.start();
        await first.until(() => first.revoked.length > 0);
        await joined;
        first.settling = 'now';
        first.settleHeld();
        await produce(name, numbered(600, 6, 3_000));
        const both = [first, second];
        await untilAny(both, () => new Set(both.flatMap((each) => each.rows())).size === 3_600);
        const rows = both.flatMap((each) => each.rows());
        assert.equal(rows.length, 3_600, `${rows.length - 3_600} records were handed over twice`);
        assert.equal(first.owned.length, 3);
        assert.equal(second.owned.length, 3);
        assert.equal(first.telemetry.count('sluice_rebalances_total'), 1);
        assert.equal(first.assigned.length, 6, 'partitions that stayed keep their epoch');
      },
    );

    test(
      'a drain that misses its deadline: what stays goes on in its epoch, what moves starts at the commit',
      LIMIT,
      async () => {
        const { fresh, topic, produce, member, committed } = await bench();
        const name = await topic(4);
        const groupId = fresh('group');
        await produce(name, numbered(400, 4));
        const first = member({ topics: [name], groupId });
        first.settling = 'never';
        await first.start();
        await first.until(() => first.rows().length === 400);
        const second = member({ topics: [name], groupId });
        await second.start();
        await second.until(() => second.rows().length === 200);
        await produce(name, numbered(40, 4, 400));
        await untilAny([first, second], () => first.rows().length + second.rows().length === 640);
        assert.equal(first.rows().length, 420);
        assert.equal(new Set(first.rows()).size, 420, 'nothing came twice to the member that kept its partitions');
        first.settleHeld();
        await first.commit();
        const kept = first.owned.map(({ partition }) => partition);
        const stored = await committed(groupId, name);
        for (let partition = 0; partition < 4; partition++) {
          assert.equal(stored[partition], kept.includes(partition) ? 110 : 0, 'only what is owned is committed');
        }
        assert.equal(first.telemetry.count('sluice_commits_left_out_total'), 2);
      },
    );

    test(
      'a member that leaves hands its partitions on; each of several in a process has its own hooks',
      LIMIT,
      async () => {
        const { fresh, topic, produce, member } = await bench();
        const name = await topic(4);
        const groupId = fresh('group');
        await produce(name, numbered(40, 4));
        const first = member({ topics: [name], groupId });
        await first.start();
        const stranger = member({ topics: [name], groupId: fresh('group') });
        await stranger.start();
        const second = member({ topics: [name], groupId });
        await second.start();
        await untilAny([first, second], () => first.owned.length === 2 && second.owned.length === 2);
        await Promise.all([first.commit(), second.commit()]);
        await second.source.close();
        await first.until(() => first.owned.length === 4);
        assert.equal(stranger.owned.length, 4);
        assert.equal(stranger.telemetry.count('sluice_rebalances_total'), 0);
        await produce(name, numbered(40, 4, 40));
        await stranger.until(() => stranger.rows().length === 80);
      },
    );
  });
}
