import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { seeded } from '../../fixtures/random.ts';
import { readTopic } from '../../fixtures/reader.ts';
import { type LogLine, Sluice } from '../../fixtures/sluice.ts';
import { until } from '../../fixtures/until.ts';
import { type AuditOptions, audit, describeViolations, observe, untilDrained } from '../ledger.ts';
import { record } from '../report.ts';
import { flights, type Hello, startHello } from './hello.ts';
import { openStage } from './stage.ts';

const LIMIT = { timeout: 120_000 };
const PRODUCE = 0;
/** For tests in which nobody dies: a busy machine must not make a member look dead. */
const CALM = { sessionTimeout: '20s' };

function start(context: TestContext, { file, env }: Hello): Sluice {
  const sluice = new Sluice(['run', file, '--listen', '127.0.0.1:0'], env);
  context.after(() => {
    sluice.signal('SIGCONT');
    sluice.signal('SIGKILL');
  });
  return sluice;
}

const events = (sluice: Sluice, name: string): LogLine[] => sluice.log().filter(({ event }) => event === name);

async function atLeast({ watched }: Hello, outputs: number): Promise<void> {
  await until(`${outputs} outputs`, async () => (await readTopic(watched.brokers, watched.output)).length >= outputs);
}

/** Everything is answered and committed; nothing twice unless `terms` say so. */
async function exact({ watched }: Hello, terms: AuditOptions = {}): Promise<number> {
  const account = await audit(watched, { maxDuplicates: 0, ...terms });
  assert.equal(describeViolations(account), '');
  return account.duplicates.count;
}

describe('row 2: SIGTERM', () => {
  test('row 2: under load, and twice: drained, exit 0, nothing twice', LIMIT, async (context) => {
    const hello = await startHello(context, CALM);
    const load = hello.produce(flights(60_000));
    const first = start(context, hello);
    await atLeast(hello, 2_000);
    first.signal('SIGTERM');
    first.signal('SIGTERM');
    await first.until('it drains', () => events(first, 'draining').length > 0);
    first.signal('SIGTERM');
    assert.equal(await first.ended, 0);
    assert.ok((await readTopic(hello.watched.brokers, hello.watched.output)).length < 60_000, 'it ended under load');
    await load;
    const second = start(context, hello);
    await untilDrained(hello.watched, 60_000);
    assert.equal(events(second, 'quarantine-entered').length, 0, 'an orderly end is no death');
    assert.equal(await second.stop(), 0);
    await exact(hello);
    record({
      rows: [2],
      test: context.name,
      faults: { sigterm: 3 },
      invariants: ['I1', 'I2', 'I3', 'I5'],
      duplicates: 0,
    });
  });

  test('row 2: in the middle of a rebalance: drained, exit 0, nothing twice', LIMIT, async (context) => {
    const hello = await startHello(context, CALM);
    const load = hello.produce(flights(40_000));
    const first = start(context, hello);
    await atLeast(hello, 1_000);
    const second = start(context, hello);
    await first.until('the group rebalances', () => events(first, 'group-rejoining').length > 0);
    first.signal('SIGTERM');
    assert.equal(await first.ended, 0);
    await load;
    await untilDrained(hello.watched, 60_000);
    assert.equal(await second.stop(), 0);
    await exact(hello);
    record({ rows: [2], test: context.name, faults: { sigterm: 1, rebalance: 1 }, invariants: ['I1', 'I2', 'I3'] });
  });

  test(
    'row 2: Ctrl-C twice ends at once with exit code 3; what was under way is read again',
    LIMIT,
    async (context) => {
      let hung = true;
      const hooks = { onRequest: ({ apiKey, clientId }: RequestInfo) => hang(hung && apiKey === PRODUCE, clientId) };
      const hello = await startHello(context, { ...CALM, drain: '60s', hooks });
      await hello.produce(flights(1_000));
      const first = start(context, hello);
      await first.until('records are under way', async () => (await first.metric('sluice_inflight_records')) > 0);
      first.signal('SIGINT');
      await first.until('it drains', () => events(first, 'draining').length > 0);
      first.signal('SIGINT');
      assert.equal(await first.ended, 3);
      hung = false;
      const second = start(context, hello);
      await untilDrained(hello.watched, 60_000);
      assert.equal(await second.stop(), 0);
      await exact(hello, { maxDuplicates: 1_000 });
    },
  );
});

/** Requests of the processors; those that produce the input go on. */
function hang(yes: boolean, clientId: string): Fault | undefined {
  return yes && clientId !== 'load' ? { dropResponse: true, errorCode: 19 } : undefined;
}

test(
  'row 3: SIGTERM while outputs get no answer: exit code 3 when the drain budget is over, and the group is left',
  LIMIT,
  async (context) => {
    let hung = true;
    const hooks = { onRequest: ({ apiKey, clientId }: RequestInfo) => hang(hung && apiKey === PRODUCE, clientId) };
    const hello = await startHello(context, { drain: '2s', sessionTimeout: '30s', hooks });
    await hello.produce(flights(1_000));
    const first = start(context, hello);
    await first.until('records are under way', async () => (await first.metric('sluice_inflight_records')) > 0);
    const termedMs = performance.now();
    first.signal('SIGTERM');
    assert.equal(await first.ended, 3);
    const tookMs = performance.now() - termedMs;
    assert.equal(events(first, 'drain-budget-exceeded').length, 1);
    hung = false;
    const second = start(context, hello);
    const recoveryMs = await untilDrained(hello.watched, 25_000);
    assert.equal(events(second, 'quarantine-entered').length, 0, 'an end by its budget is no death');
    assert.equal(await second.stop(), 0);
    await exact(hello, { maxDuplicates: 1_000 });
    context.diagnostic(
      `ended after ${Math.round(tookMs)} ms of a budget of 2,000; the next one had all after ${Math.round(recoveryMs)} ms`,
    );
    record({
      rows: [3],
      test: context.name,
      faults: { hang: 1, sigterm: 1 },
      invariants: ['I1', 'I3', 'I8'],
      recoveryMs,
    });
  },
);

test(
  'row 4: stopped for twice its session and woken again: fenced, nothing lost, no position goes back',
  LIMIT,
  async (context) => {
    const hello = await startHello(context, { sessionTimeout: '2s' });
    const observer = observe(hello.watched);
    context.after(() => observer.stop());
    const load = hello.produce(flights(80_000));
    const [zombie, other] = [start(context, hello), start(context, hello)];
    await Promise.all([zombie.ready(), other.ready()]);
    await until('both have partitions', () =>
      [zombie, other].every((each) => (events(each, 'group-joined').at(-1)?.partitions as number) > 0),
    );
    await atLeast(hello, 3_000);
    zombie.signal('SIGSTOP');
    await load;
    await pause(4_000);
    await untilDrained(hello.watched, 60_000);
    await hello.produce(flights(5_000, 80_000));
    zombie.signal('SIGCONT');
    await zombie.until('it is fenced', () => events(zombie, 'group-fenced').length > 0);
    await hello.produce(flights(5_000, 85_000));
    const recoveryMs = await untilDrained(hello.watched, 60_000);
    assert.equal(await zombie.stop(), 0);
    assert.equal(await other.stop(), 0);
    const duplicates = await exact(hello, { maxDuplicates: 2 * 2_000, order: false, observed: await observer.stop() });
    context.diagnostic(`${duplicates} duplicates`);
    record({
      rows: [4],
      test: context.name,
      faults: { sigstop: 1 },
      invariants: ['I1', 'I2', 'I3', 'I4', 'I6'],
      duplicates,
      recoveryMs,
    });
  },
);

test(
  'row 1: killed every two seconds, one of three: the others go on, and no record is taken for a killer',
  LIMIT,
  async (context) => {
    const random = seeded(1);
    const hello = await startHello(context, { partitions: 6, sessionTimeout: '1s' });
    const observer = observe(hello.watched);
    context.after(() => observer.stop());
    const members = [0, 1, 2].map(() => start(context, hello));
    await Promise.all(members.map((member) => member.ready()));
    let produced = 0;
    const kills = 5;
    for (let n = 0; n < kills; n++) {
      await hello.produce(flights(4_000, produced));
      produced += 4_000;
      const load = hello.produce(flights(4_000, produced));
      produced += 4_000;
      const victim = Math.floor(random() * 3);
      members[victim].signal('SIGKILL');
      await members[victim].ended;
      members[victim] = start(context, hello);
      await load;
      await pause(1_000);
    }
    const recoveryMs = await untilDrained(hello.watched, 60_000);
    // The last one may be at its start still, and be ended by a signal that nobody listens for yet.
    await Promise.all(members.map((member) => member.ready()));
    for (const member of members) assert.equal(await member.stop(), 0);
    const terms = {
      maxDuplicates: kills * 2_000 * 2,
      expected: () => 'published' as const,
      observed: await observer.stop(),
    };
    const duplicates = await exact(hello, terms);
    context.diagnostic(`${kills} kills, ${duplicates} of ${produced} twice`);
    record({
      rows: [1],
      test: context.name,
      seed: 1,
      faults: { sigkill: kills },
      invariants: ['I1', 'I2', 'I3', 'I4', 'I5', 'I8'],
      duplicates,
      recoveryMs,
    });
  },
);

test(
  'row 9: members come and go every half second at most: progress goes on, nothing twice that was drained',
  LIMIT,
  async (context) => {
    const seed = 9;
    const random = seeded(seed);
    const stage = await openStage(seed);
    context.after(() => stage.close());
    const observer = observe(stage.watched, { everyMs: 40, dropped: stage.feed.dropped });
    context.after(() => observer.stop());
    const ended: Promise<unknown>[] = [];
    let toggles = 0;
    const running = [await stage.join()];
    const untilMs = performance.now() + 8_000;
    while (performance.now() < untilMs) {
      await stage.feed.send(25);
      if (running.length > 1 && (running.length === 4 || random() < 0.5)) {
        const [gone] = running.splice(Math.floor(random() * running.length), 1);
        gone.runner.stop();
        ended.push(gone.outcome);
      } else running.push(await stage.join());
      toggles++;
      await pause(500 * random());
    }
    const recoveryMs = await untilDrained(stage.watched, 30_000);
    for (const member of running) {
      member.runner.stop();
      ended.push(member.outcome);
    }
    for (const outcome of await Promise.all(ended)) assert.equal((outcome as { result: string }).result, 'done');
    const account = await audit(stage.watched, {
      observed: await observer.stop(),
      acknowledged: stage.feed.acknowledged,
      dropped: stage.feed.dropped,
      expected: stage.feed.expected,
      flaw: stage.feed.flaw,
    });
    assert.equal(describeViolations(account), '');
    context.diagnostic(`${toggles} toggles, ${account.inputs} records, ${account.duplicates.count} twice`);
    record({
      rows: [9],
      test: context.name,
      seed,
      faults: { toggle: toggles },
      invariants: ['I1', 'I4', 'I6', 'I8'],
      duplicates: account.duplicates.count,
      recoveryMs,
    });
  },
);
