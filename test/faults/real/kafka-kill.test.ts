/** Game day on three real brokers: processors are killed every few seconds while brokers bounce, and the ledger is exact. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { seeded } from '../../fixtures/random.ts';
import { describeViolations } from '../ledger.ts';
import { record } from '../report.ts';
import { lazyKafka, type Scenario } from './kafka-bench.ts';

const bench = lazyKafka();
/** Short by default; `npm run test:faults` says how long. */
const MINUTES = Number(process.env.SLUICE_FAULTS_MINUTES ?? '0');
const STORM_MS = MINUTES > 0 ? Math.max(30_000, Math.min(180_000, MINUTES * 60_000)) : 30_000;
const SEED = Number(process.env.SLUICE_FAULTS_SEED ?? '1');
const INSTANCES = 3;
const KILL_EVERY_MS = 5_000;
const PER_SECOND = 200;
const MAX_IN_FLIGHT = 2_000;
const TITLE = `rows 1, 5, 36: kill -9 of one of ${INSTANCES} instances every 5 s while brokers bounce`;

/** SIGKILL and boot, one at a time, until it is told to stop. */
async function bounce(scenario: Scenario, random: () => number, over: AbortSignal): Promise<number> {
  const { cluster, inputs } = scenario;
  let bounces = 0;
  while (!over.aborted) {
    await pause(1_000 + 2_000 * random());
    const node = cluster.nodes[Math.floor(random() * cluster.nodes.length)];
    await cluster.kill(node);
    bounces++;
    await pause(500 + 5_000 * random());
    await cluster.boot(node);
    await cluster.inSync(inputs[0]);
  }
  return bounces;
}

test(TITLE, { timeout: STORM_MS + 240_000 }, async (t) => {
  const random = seeded(SEED);
  const { scenario } = await bench();
  const storm = await scenario('storm', {
    edit: (yaml) =>
      yaml.replace(
        'latencyBudget: 50ms',
        `latencyBudget: 50ms\n  maxInFlight: { records: ${MAX_IN_FLIGHT}, bytes: 64MiB }`,
      ),
  });
  const group = Array.from({ length: INSTANCES }, () => storm.run());
  for (const child of group) await child.ready();
  const observer = storm.observe();
  const load = storm.load(PER_SECOND);

  const over = new AbortController();
  t.after(async () => {
    over.abort();
    await Promise.allSettled([load.stop(), observer.stop(), bouncing]);
  });
  const bouncing = bounce(storm, random, over.signal);
  bouncing.catch(() => undefined);
  let kills = 0;
  for (const endMs = performance.now() + STORM_MS; performance.now() < endMs; ) {
    await pause(KILL_EVERY_MS);
    const victim = Math.floor(random() * INSTANCES);
    group[victim].signal('SIGKILL');
    await group[victim].ended;
    kills++;
    group[victim] = storm.run();
  }
  over.abort();
  const bounces = await bouncing;
  await storm.cluster.heal();
  const sent = await load.stop();
  const drainedMs = await storm.drained(90_000);
  for (const child of group) await child.ready();
  for (const child of group) assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));

  const account = await storm.audit({
    observed: await observer.stop(),
    acknowledged: load.acknowledged,
    maxDuplicates: kills * MAX_IN_FLIGHT,
  });
  const said = describeViolations(account);
  record({
    rows: [1, 5, 36],
    test: TITLE,
    faults: { 'kill -9 of a processor': kills, 'broker bounce': bounces },
    invariants: account.checked,
    duplicates: account.duplicates.count,
    recoveryMs: Math.round(drainedMs),
    violations: account.violations.map(({ invariant, what }) => `${invariant} ${what}`),
    seed: SEED,
  });
  t.diagnostic(
    `${kills} kills, ${bounces} bounces, ${sent} events in ${account.inputs} inputs, ${account.published} published, ` +
      `${account.duplicates.count} duplicates, ${load.repeats} repeated sends, lag gone after ${Math.round(drainedMs)} ms, ${account.samples} looks`,
  );
  assert.equal(said, '');
  assert.equal(account.published, account.inputs);
  assert.ok(load.acknowledged.size > 0 && account.inputs >= sent);
});
