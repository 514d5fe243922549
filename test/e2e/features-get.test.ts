import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import { createBigtable } from '../../src/devstack/bigtable.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { FEATURES, TOPOLOGY } from '../contract/example-bench.ts';
import { type Ran, type RunSetup, runHere } from '../fixtures/io.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';

const DAY_MS = 86_400_000;
const EVENTS = 'examples/flight-delay/events-500.jsonl';

const closers: (() => unknown)[] = [];
let env: Record<string, string> = {};
let dir = '';

before(async () => {
  const bigtable = await createBigtable();
  closers.push(() => bigtable.close());
  env = { BIGTABLE_EMULATOR_HOST: bigtable.host };
  dir = mkdtempSync(join(tmpdir(), 'sluice-get-'));
  closers.push(() => rmSync(dir, { recursive: true }));
  const { code, stderr } = await runHere(['features', 'load', TOPOLOGY, FEATURES], { env });
  assert.equal(code, 0, stderr);
  const clock = createSystemClock();
  const writer = createBigtableWriter(
    { clock, telemetry: new RecordingTelemetry(), random: seeded(1) },
    { project: 'dev', instance: 'dev', emulatorHost: bigtable.host },
  );
  const vector = (name: string, offset: number) => ({ name, kind: 'vector' as const, width: 96, offset });
  await writer.write({
    ...{ table: 'route', layout: 'packed', rowWidth: 192, keys: [Buffer.from('OLD#ROW')] },
    views: [{ name: 'slots', family: 'slots', columns: [vector('n', 0), vector('l', 96)] }],
    ...{ values: new Float64Array(192).fill(0.5), present: Uint8Array.of(1), timestampMs: clock.wallMs() - 9 * DAY_MS },
  });
  await writer.close();
});

after(async () => {
  for (const close of closers.reverse()) await close();
});

const get = (args: readonly string[], setup: RunSetup = {}): Promise<Ran> =>
  runHere(['features', 'get', ...args], { env, ...setup });

test('a row of the store: every view and column with its age, and where it comes from', async () => {
  const { code, stdout, stderr } = await get([TOPOLOGY, 'ORD#LGA', '--table', 'route']);
  assert.deepEqual([code, stderr], [0, '']);
  const [head, route, slots] = stdout.split('\n');
  assert.equal(head, `route  ORD#LGA  bigtable dev/dev on the emulator at ${env.BIGTABLE_EMULATOR_HOST}`);
  assert.match(
    route,
    /^ {2}route {2}family agg {2}age \S+ m?s {2}late_share 0\.379662 {2}mean_delay 20\.42\d* {2}per_day 29\.78\d*$/,
  );
  assert.match(slots, /^ {2}slots {2}family slots {2}age .* n \[0 0 0 0 0 0 … 96 numbers\] {2}l \[/);
});

test('--json says the same to machines, whole vectors included', async () => {
  const { stdout } = await get([TOPOLOGY, 'ORD#LGA', '--table', 'route', '--view', 'slots', '--json']);
  const { table, key, found, views } = JSON.parse(stdout);
  assert.deepEqual([table, key, found, views.length], ['route', 'ORD#LGA', true, 1]);
  const [{ view, family, ageMs, maxAgeMs, stale, onStale, columns, writtenAt }] = views;
  assert.deepEqual([view, family, maxAgeMs, stale, onStale], ['slots', 'slots', 7 * DAY_MS, false, 'use']);
  assert.ok(ageMs >= 0 && ageMs < 600_000 && Date.parse(writtenAt) > 0);
  assert.deepEqual([columns.n.length, columns.l.length], [96, 96]);
});

test('what is stale and what is missing is said, with what becomes of it', async () => {
  const { code, stdout } = await get([TOPOLOGY, 'OLD#ROW', '--table', 'route']);
  assert.equal(code, 0);
  assert.match(stdout, /\n {2}route {2}family agg {2}missing: late_share, mean_delay, per_day\n/);
  assert.match(stdout, /slots {2}family slots {2}age 9 d STALE \(maxAge 7 d; is used all the same\)/);
});

test('a key that no table has ends with 1, and says how keys are made', async () => {
  const { code, stdout } = await get([TOPOLOGY, 'nowhere', 'ORD']);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^airport {2}nowhere {2}.* no such row; keys of this table are made by \{origin\} or \{destination\}\n/,
  );
  assert.match(
    stdout,
    /^route {2}nowhere {2}.* no such row; keys of this table are made by \{origin\}#\{destination\}$/m,
  );
  assert.match(stdout, /^airport {2}ORD .*\n {2}origin .*\n {2}dest /m);
});

test('keys are made of events, from files in place of the store too', async () => {
  const [first] = readFileSync(EVENTS, 'utf8').split('\n');
  const stdin = `${first}\n{"id":1,"departed_at":1,"origin":"ORD","destination":null,"distance":1}\n`;
  const { code, stdout } = await get([TOPOLOGY, '--event', '-', '--features', FEATURES], { env: {}, stdin });
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^standard input:1\nairport {2}ANC {2}feature files of examples\/flight-delay\/features\n {2}origin /,
  );
  assert.match(stdout, /\nroute {2}ANC#PDX .*\n {2}route {2}family agg {2}age unknown/);
  assert.match(stdout, /\nstandard input:2\nairport {2}no key: a field that \{destination\} names is missing\n/);
});

for (const [name, args, code, said] of [
  ['no key', [TOPOLOGY], 2, /^sluice: give row keys, such as ORD#LGA, or --event FILE/],
  [
    'no such table',
    [TOPOLOGY, 'ORD', '--table', 'airprt'],
    2,
    /--table: \S+ reads no "airprt"; did you mean "airport"\? it reads airport, route/,
  ],
  [
    'no such view',
    [TOPOLOGY, 'ORD', '--view', 'x'],
    2,
    /--view: \S+ reads no "x"; it reads origin, dest, route, slots/,
  ],
  [
    'nothing to look up',
    ['topologies/hello.yaml', 'x'],
    2,
    /^sluice: topologies\/hello\.yaml looks nothing up: it has no enrich/,
  ],
  ['no topology', ['no.yaml', 'x'], 2, /^sluice: no\.yaml cannot be used:\nno\.yaml:1:1 there is no file/],
  [
    'no file of events',
    [TOPOLOGY, '--event', 'no.jsonl'],
    2,
    /^sluice: there is no file no\.jsonl; give --event a file/,
  ],
  [
    'no feature files',
    [TOPOLOGY, 'x', '--features', 'schemas'],
    2,
    /folder schemas has neither airport\.jsonl nor airport\.jsonl\.gz/,
  ],
] as const) {
  test(`a mistake names thing, cause, remedy: ${name}`, async () => {
    const ran = await get(args);
    assert.match(ran.stderr, said);
    assert.deepEqual([ran.code, ran.stdout], [code, '']);
  });
}

test('an event that is none is told with its line', async () => {
  const file = join(dir, 'events.jsonl');
  writeFileSync(file, '\n{"origin":5}\n');
  const { code, stderr } = await get([TOPOLOGY, '--event', file]);
  assert.equal(code, 2);
  assert.match(stderr, /events\.jsonl:2: is no event of \S*flight-departed\.avsc, as JSON; correct the line/);
});

test('a table that is not there, and a store that is away, are told by name', { timeout: 60_000 }, async () => {
  const yaml = readFileSync(TOPOLOGY, 'utf8').replaceAll('table: airport', 'table: airports');
  const file = join(dir, 'other.yaml');
  writeFileSync(file, yaml);
  const missing = await get([file, 'ORD']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^sluice: .*no table "airports".*`sluice features load` creates and fills it/);
  const away = await get([TOPOLOGY, 'ORD'], { env: { BIGTABLE_EMULATOR_HOST: '127.0.0.1:1' } });
  assert.equal(away.code, 1);
  assert.match(
    away.stderr,
    /^sluice: .*looked for as bigtable dev\/dev on the emulator at 127\.0\.0\.1:1: start it, or correct/,
  );
});
