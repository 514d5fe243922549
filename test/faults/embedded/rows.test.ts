import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { quietKafka } from '../../fixtures/reader.ts';
import { until } from '../../fixtures/until.ts';
import type { Account } from '../judge.ts';
import { type AuditOptions, audit, describeViolations, observe, untilDrained } from '../ledger.ts';
import { AUDITOR } from '../read.ts';
import { record } from '../report.ts';
import type { Member } from './member.ts';
import { TOPICS } from './pipeline.ts';
import { openStage, type Stage } from './stage.ts';

/** Rows of the matrix that one stage, one group and the real client can show. */
const LIMIT = { timeout: 150_000 };
const SOON_MS = 45_000;
const JOIN = 11;
/** A session that no slow machine lapses, where nobody is to be taken for dead. */
const CALM_MS = 15_000;

describe('rows of the fault matrix, on the embedded services', () => {
  let stage: Stage;
  let seed = 100;
  let strike: ((request: RequestInfo) => Fault | undefined) | undefined;

  async function withStage(work: () => Promise<void>): Promise<void> {
    strike = undefined;
    const onKafka = (request: RequestInfo): Fault | undefined =>
      request.clientId === AUDITOR ? undefined : strike?.(request);
    stage = await openStage(seed++, { onKafka });
    try {
      await work();
    } finally {
      for (const { runner } of stage.members) runner.stop();
      await Promise.all(stage.members.map(({ outcome }) => outcome));
      await stage.close();
    }
  }

  const everywhere = async (count: number): Promise<void> => {
    for (const partition of [0, 1, 2, 3]) await stage.feed.send(count, { partition });
  };
  const heard = (member: Member, event: string): number => member.telemetry.eventsNamed(event).length;
  const settled = (): number =>
    stage.broker.endOffsets(TOPICS.output).reduce((a, b) => a + b, 0) +
    stage.broker.endOffsets(TOPICS.deadLetter).reduce((a, b) => a + b, 0);
  const more = async (than: number): Promise<void> => {
    await until('something more comes out', () => settled() > than, SOON_MS);
  };

  async function stop(member: Member): Promise<void> {
    member.runner.stop();
    assert.equal((await member.outcome).result, 'done');
  }

  /** Audits with what was fed; whatever does not hold fails the test. */
  async function exact(options: AuditOptions = {}): Promise<Account> {
    const { acknowledged, dropped, expected, flaw, alike } = stage.feed;
    const account = await audit(stage.watched, { acknowledged, dropped, expected, flaw, alike, ...options });
    assert.equal(describeViolations(account), '');
    return account;
  }

  test('row 6: leaders of every topic move again and again: nothing lost, nothing twice', LIMIT, (t) =>
    withStage(async () => {
      const observer = observe(stage.watched, { everyMs: 30, dropped: stage.feed.dropped });
      t.after(() => observer.stop());
      const member = await stage.join({ sessionMs: CALM_MS });
      let moves = 0;
      for (let round = 0; round < 6; round++) {
        const from = settled();
        await everywhere(20);
        await more(from);
        for (const topic of [TOPICS.input, TOPICS.output, TOPICS.deadLetter]) {
          const partitions = stage.broker.endOffsets(topic).length;
          for (let p = 0; p < partitions; p++, moves++) stage.broker.moveLeader(topic, p, 1 + ((p + round) % 3));
        }
      }
      const recoveryMs = await untilDrained(stage.watched, SOON_MS);
      const account = await exact({ observed: await observer.stop(), maxDuplicates: 0 });
      assert.equal(heard(member, 'group-rejoining'), 0);
      record({
        rows: [6],
        test: t.name,
        faults: { 'move-leader': moves },
        invariants: account.checked,
        duplicates: 0,
        recoveryMs,
      });
    }),
  );

  test('row 7: the coordinator moves while positions are stored: they never go back, nobody joins anew', LIMIT, (t) =>
    withStage(async () => {
      const observer = observe(stage.watched, { everyMs: 20, dropped: stage.feed.dropped });
      t.after(() => observer.stop());
      const member = await stage.join({ sessionMs: CALM_MS });
      await everywhere(10);
      await until(
        'the first positions are stored',
        () => stage.broker.groupOffsets(TOPICS.group)[TOPICS.input]?.[0] === 10,
        SOON_MS,
      );
      for (let round = 1; round <= 6; round++) {
        stage.broker.moveCoordinator(TOPICS.group, 1 + (round % 3));
        await everywhere(10);
        await until(
          'positions are stored',
          () => stage.broker.groupOffsets(TOPICS.group)[TOPICS.input]?.[3] === 10 + 10 * round,
          SOON_MS,
        );
      }
      const recoveryMs = await untilDrained(stage.watched, SOON_MS);
      const account = await exact({ observed: await observer.stop(), maxDuplicates: 0 });
      assert.equal(heard(member, 'group-joined'), 1);
      record({
        rows: [7],
        test: t.name,
        faults: { 'move-coordinator': 6 },
        invariants: account.checked,
        duplicates: 0,
        recoveryMs,
      });
    }),
  );

  test('row 11: a log cut off beyond the position is gone on with at its first record, counted', LIMIT, (t) =>
    withStage(async () => {
      const first = await stage.join();
      await everywhere(30);
      await untilDrained(stage.watched, SOON_MS);
      await stop(first);
      for (const partition of [0, 1]) await stage.feed.send(30, { partition, good: true });
      await stage.truncate(0, 45);
      await stage.truncate(1, 60);
      const second = await stage.join();
      await everywhere(10);
      const recoveryMs = await untilDrained(stage.watched, SOON_MS);
      assert.equal(second.telemetry.count('sluice_offset_resets_total', { policy: 'earliest' }), 2);
      const account = await exact({ maxDuplicates: 0 });
      assert.equal(account.truncated, 45);
      record({
        rows: [11],
        test: t.name,
        faults: { truncate: 2 },
        invariants: account.checked,
        duplicates: 0,
        recoveryMs,
      });
    }),
  );

  test('row 2: stopped while it joins, a member leaves no ghost that holds partitions', LIMIT, (t) =>
    withStage(async () => {
      const first = await stage.join();
      await until('the first member is ready', () => heard(first, 'ready') > 0, SOON_MS);
      let stopped = false;
      let second: Member | undefined;
      strike = ({ apiKey, clientId }) => {
        if (apiKey !== JOIN || clientId !== 'm2') return undefined;
        if (!stopped) second?.runner.stop();
        stopped = true;
        return { delayMs: 100 };
      };
      second = await stage.join();
      assert.equal((await second.outcome).result, 'done');
      assert.ok(stopped, 'it was stopped while it joined');
      const admin = quietKafka(stage.watched.brokers, AUDITOR).admin();
      await admin.connect();
      await until(
        'only the first member is left',
        async () => {
          const [{ members, state }] = (await admin.describeGroups([TOPICS.group])).groups;
          return state === 'Stable' && members.length === 1 && members[0].clientId === first.clientId;
        },
        SOON_MS,
      );
      await admin.disconnect();
      await everywhere(20);
      const recoveryMs = await untilDrained(stage.watched, SOON_MS);
      const account = await exact({ maxDuplicates: 0 });
      record({ rows: [2], test: t.name, faults: { stop: 1 }, invariants: account.checked, duplicates: 0, recoveryMs });
    }),
  );

  test('row 26: a new version of the model rolls out under load: each prediction is of one or the other', LIMIT, (t) =>
    withStage(async () => {
      const old = [await stage.join({ version: 1 }), await stage.join({ version: 1 })];
      for (const each of old) {
        const from = settled();
        await everywhere(25);
        await more(from);
        await stop(each);
        const next = await stage.join({ version: 2 });
        await everywhere(25);
        await until('the new version runs', () => heard(next, 'group-joined') > 0, SOON_MS);
      }
      await everywhere(25);
      const recoveryMs = await untilDrained(stage.watched, SOON_MS);
      const account = await exact({
        flaw: (output, input) =>
          typeof output.headers['sluice-model'] === 'object' && !Array.isArray(output.headers['sluice-model'])
            ? stage.feed.flaw(output, input)
            : 'it names no model, or several',
      });
      const labels = Object.keys(account.models).map((label) => label.split('#')[0]);
      assert.deepEqual(labels.sort(), ['log@1', 'log@2'], 'one digest a version');
      record({
        rows: [26],
        test: t.name,
        faults: { swap: 2 },
        invariants: account.checked,
        duplicates: account.duplicates.count,
        recoveryMs,
      });
    }),
  );

  test(
    'row 30: the wall clock steps an hour on, two back and on again: nothing waits, nothing is lost, no age is negative',
    LIMIT,
    (t) =>
      withStage(async () => {
        let skewMs = 0;
        const observer = observe(stage.watched, { everyMs: 50, dropped: stage.feed.dropped });
        t.after(() => observer.stop());
        const member = await stage.join({ skewMs: () => skewMs, sessionMs: CALM_MS });
        for (const hours of [1, -1, 0.5, 0]) {
          await everywhere(15);
          skewMs = hours * 3_600_000;
          await everywhere(15);
          await untilDrained(stage.watched, SOON_MS);
        }
        const account = await exact({ observed: await observer.stop(), maxDuplicates: 0 });
        const { telemetry } = member;
        assert.equal(heard(member, 'group-joined'), 1);
        for (const [name, values] of telemetry.observed) {
          assert.ok(
            values.every((value) => value >= 0),
            `${name} has a negative value`,
          );
        }
        const lags = [...telemetry.gauges].filter(([name]) => name.startsWith('sluice_lag'));
        assert.ok(lags.length > 0);
        await until('no lag is shown', () => lags.every(([, read]) => read() === 0), SOON_MS);
        await until('it is ready', () => member.runner.health().ready, SOON_MS);
        record({ rows: [30], test: t.name, faults: { 'clock-step': 4 }, invariants: account.checked, duplicates: 0 });
      }),
  );

  test('row 31: the input again from its beginning: the same dedupe keys, equal predictions', LIMIT, (t) =>
    withStage(async () => {
      const first = await stage.join();
      await everywhere(40);
      // Events that came before, out of order, at offsets of their own.
      await stage.feed.repeat(60);
      await untilDrained(stage.watched, SOON_MS);
      await stop(first);
      const once = await exact({ maxDuplicates: 0 });
      const again = await stage.join({ group: 'again' });
      const watched = { ...stage.watched, group: 'again' };
      await untilDrained(watched, SOON_MS);
      await stop(again);
      const { dropped, expected, flaw, alike } = stage.feed;
      const account = await audit(watched, { dropped, expected, flaw, alike });
      assert.equal(describeViolations(account), '');
      assert.equal(account.duplicates.count, once.published + once.deadLettered);
      assert.equal(new Set(account.duplicates.sources).size, account.duplicates.count);
      record({
        rows: [31],
        test: t.name,
        faults: { replay: 1 },
        invariants: account.checked,
        duplicates: account.duplicates.count,
      });
    }),
  );
});
