import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Fleet, startFleet } from '../../../../src/commands/instances/fleet.ts';
import type { InstanceData } from '../../../../src/commands/instances/messages.ts';
import type { Family } from '../../../../src/telemetry/metrics.ts';
import { createTelemetry } from '../../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { until } from '../../../fixtures/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-fleet-'));
after(() => rmSync(folder, { recursive: true }));

/** Instances that do as `script` says; it has `index`, `tell(report)` and `share(n)`: n records published. */
let written = 0;
function entry(script: string): URL {
  const file = join(folder, `instance-${written++}.mjs`);
  writeFileSync(
    file,
    `import { parentPort as port, workerData } from 'node:worker_threads';
     const { index } = workerData;
     const tell = (report) => port.postMessage(report);
     const share = (value) => [{ name: 'sluice_records_total', series: [{ kind: 'value', labels: { fate: 'published' }, value }] }];
     const healthy = { live: true, ready: true, reason: '' };
     const end = (code, thrown) => { tell({ kind: 'ended', code, share: share(10 * index), thrown }); port.close(); };
     ${script}`,
  );
  return pathToFileURL(file);
}

interface Started {
  readonly fleet: Fleet;
  readonly clock: FakeClock;
  readonly said: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

function start(script: string, count = 2): Started {
  const clock = new FakeClock();
  const said: Started['said'] = [];
  const log = {
    log: (_: string, message: string, fields: Readonly<Record<string, unknown>>) => void said.push({ message, fields }),
  };
  const telemetry = createTelemetry({ clock, log });
  const instances = Array.from({ length: count }, (_, i) => ({ index: i + 1 }) as InstanceData);
  const fleet = startFleet({ clock, telemetry, entry: entry(script) }, { instances, drainMs: 5_000 });
  return { fleet, clock, said };
}

const published = (families: readonly Family[]): number => {
  const [one] = families.find(({ name }) => name === 'sluice_records_total')?.series ?? [];
  return one?.kind === 'value' ? one.value : 0;
};
const OBEYS = `port.on('message', (order) => order === 'stop' ? end(0) : tell({ kind: 'share', share: share(index) }));
  tell({ kind: 'health', health: healthy });`;

test('ready when all are; the reason names the one that is not', async () => {
  const { fleet } =
    start(`tell({ kind: 'health', health: index === 1 ? healthy : { live: true, ready: false, reason: 'no broker' } });
    port.on('message', () => end(0));`);
  assert.deepEqual(fleet.health(), { live: true, ready: false, reason: 'instance 1: starting; instance 2: starting' });
  await until('both have said how they are', () => fleet.health().reason === 'instance 2: no broker');
  assert.equal(fleet.health().ready, false);
  fleet.stop();
  assert.deepEqual(await fleet.ended, { code: 0, thrown: undefined });
});

test('a page is what all have counted, those that have ended too', async () => {
  const { fleet } = start(`${OBEYS} if (index === 1) end(0);`);
  await until('both have begun', () => fleet.health().reason === 'instance 1: ended');
  assert.equal(published(await fleet.snapshot()), 10 + 2);
  fleet.stop();
  await fleet.ended;
  assert.equal(published(await fleet.snapshot()), 10 + 20);
});

test('one that does not answer does not hold up the page, and is shown as it was', async () => {
  const { fleet, clock } = start(`let asked = 0;
    port.on('message', (order) => order === 'stop' ? end(0) : (index === 1 || asked++ === 0) && tell({ kind: 'share', share: share(index) }));
    tell({ kind: 'health', health: healthy });`);
  await until('both are ready', () => fleet.health().ready);
  assert.equal(published(await fleet.snapshot()), 3);
  const second = fleet.snapshot();
  let done = false;
  void second.then(() => {
    done = true;
  });
  await until('time is up', async () => {
    await clock.advance(100);
    return done;
  });
  assert.equal(published(await second), 3);
  fleet.stop();
  await fleet.ended;
});

test('one that is silent is not ready, and in the end not live', async () => {
  const { fleet, clock } = start(OBEYS);
  await until('both are ready', () => fleet.health().ready);
  await clock.advance(4_000);
  assert.deepEqual(fleet.health(), {
    live: true,
    ready: false,
    reason: 'instance 1: has not answered for 4 s; instance 2: has not answered for 4 s',
  });
  await clock.advance(27_000);
  assert.equal(fleet.health().live, false);
  fleet.stop();
  await fleet.ended;
});

test('one that throws ends the others after their drain, and the process with its reason', async () => {
  const { fleet, said } = start(`${OBEYS} if (index === 2) throw new Error('out of luck');`, 3);
  assert.deepEqual(await fleet.ended, { code: 1, thrown: { code: 'unexpected', message: 'instance 2: out of luck' } });
  assert.deepEqual(
    said
      .filter(({ fields }) => fields.event !== undefined)
      .map(({ fields: { event, instance, reason } }) => ({ event, instance, reason })),
    [
      { event: 'failed', instance: 2, reason: 'out of luck' },
      { event: 'instance-failed', instance: 2, reason: undefined },
    ],
  );
});

test('one that exits, or fails of itself, likewise', async () => {
  const exits = start(`${OBEYS} if (index === 1) process.exit(7);`);
  assert.deepEqual(await exits.fleet.ended, {
    code: 1,
    thrown: { code: 'unexpected', message: 'instance 1: its thread ended with code 7' },
  });
  const fails = start(`${OBEYS} if (index === 1) end(1, { code: 'topic-missing', message: 'no topic' });`);
  assert.deepEqual(await fails.fleet.ended, {
    code: 1,
    thrown: { code: 'topic-missing', message: 'instance 1: no topic' },
  });
  assert.equal(fails.said.filter(({ fields }) => fields.event === 'failed').length, 0, 'it has told that itself');
});

test('the exit code of a fleet is the worst of its instances', async () => {
  for (const [codes, expected] of [
    [[0, 0, 0], 0],
    [[0, 3, 0], 3],
    [[3, 2, 0], 2],
    [[2, 1, 3], 1],
  ] as const) {
    const { fleet } = start(
      `port.on('message', () => end([${codes}][index - 1])); tell({ kind: 'health', health: healthy });`,
      3,
    );
    await until('all are ready', () => fleet.health().ready);
    fleet.stop();
    assert.equal((await fleet.ended).code, expected);
  }
});

test('one whose loop stands still is left behind once the budget is over', async () => {
  const { fleet, clock, said } = start(`tell({ kind: 'health', health: healthy });
    port.on('message', (order) => order === 'abort' ? port.close() : index === 1 && end(0));`);
  await until('both are ready', () => fleet.health().ready);
  fleet.stop();
  await clock.advance(6_999);
  assert.notEqual(said.at(-1)?.fields.event, 'instance-stuck');
  await clock.advance(1);
  assert.equal((await fleet.ended).code, 3);
  assert.equal(said.at(-1)?.fields.event, 'instance-stuck');
  assert.equal(said.at(-1)?.fields.instance, 2);
  fleet.abort();
});

test('the second interrupt is handed on', async () => {
  const { fleet } = start(`tell({ kind: 'health', health: healthy });
    port.on('message', (order) => order === 'abort' && end(3));`);
  await until('both are ready', () => fleet.health().ready);
  fleet.stop();
  fleet.abort();
  assert.equal((await fleet.ended).code, 3);
});
