/** The example with Redis as the second level before its store, as an operator runs it: two starts, Redis killed and back during a run. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FEATURES, flights, lazyExample, type Prediction } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { type RedisServer, redisMissing, startRedis } from '../fixtures/redis-server.ts';
import { sluice } from '../fixtures/sluice.ts';
import { decodeRisk } from '../fixtures/upstream.ts';

const bench = lazyExample(startEmbeddedStack);
const servers: RedisServer[] = [];
after(() => Promise.all(servers.map((server) => server.stop())));
const skip = redisMissing() ?? false;
const ALL = flights('examples/flight-delay/flights.jsonl.gz');

const before =
  (port: number) =>
  (yaml: string): string =>
    yaml
      .replace(/ {2}bigtable: .*/, (line) => `${line}\n  redis: { url: "redis://localhost:${port}" }`)
      .replaceAll(/cache: \{ /g, 'cache: { secondLevel: { timeout: 500ms }, ');

/** The sum of a metric's series that match. */
const sum = (page: string, series: RegExp): number =>
  page
    .split('\n')
    .filter((line) => series.test(line))
    .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);

test('Redis before the store is killed and comes back during a run: nothing is lost, late or other than without it', {
  skip,
}, async () => {
  const { variant, createTopics, upstream, run, answered, read, dir, stack } = await bench();
  const server = await startRedis();
  servers.push(server);
  const topology = variant('second-level', before(server.port));
  await createTopics(topology, 2);
  const loaded = await sluice(['features', 'load', topology.file, FEATURES], stack.env);
  assert.equal(loaded.code, 0, loaded.stderr);
  const producer = await upstream(topology.input);
  const send = (rows: typeof ALL) => producer.send(rows.map((flight) => producer.message(flight)));
  const of = (child: Awaited<ReturnType<typeof run>>) => async (series: RegExp) => sum(await child.metrics(), series);

  const first = run(topology.file);
  await first.ready();
  await send(ALL.slice(0, 300));
  await answered(first, topology, 300);
  await first.until('rows are kept', async () => (await of(first)(/^sluice_second_level_writes_total.*kept/)) > 100);
  assert.equal(await first.stop(), 0, first.stderr.slice(-3_000));

  const child = run(topology.file);
  const metric = of(child);
  await child.ready();
  await send(ALL.slice(0, 300));
  await answered(child, topology, 600);
  const hits = () => metric(/^sluice_second_level_requests_total.*result="hit"/);
  await child.until('what the first has read is found', async () => (await hits()) > 200);

  await server.kill();
  await send(ALL.slice(-600, -300));
  await answered(child, topology, 900);
  await child.until(
    'the store is asked alone',
    async () => (await metric(/^sluice_second_level_bypasses_total/)) > 200,
  );
  assert.equal(await metric(/^sluice_second_level_up/), 0);
  assert.equal((await child.health()).ready, true);
  await server.boot();
  await child.until('it is asked again', async () => (await metric(/^sluice_second_level_up/)) === 1);
  await send(ALL.slice(-300));
  await answered(child, topology, 1_200);
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));

  assert.equal((await read(topology.deadLetter)).length, 0);
  const input = join(dir, 'second-level.jsonl');
  const rows = [...ALL.slice(0, 300), ...ALL.slice(-600)];
  writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const asked = ['batch', topology.file, '--input', input, '--features', FEATURES, '--output', '-'];
  const { stdout, stderr } = await sluice(asked, stack.env);
  const expected = stdout
    .trim()
    .split('\n')
    .map((line): Prediction => JSON.parse(line));
  assert.equal(expected.length, 900, stderr);
  const outputs = (await read(topology.output)).map(({ value }) => decodeRisk(value as Buffer));
  assert.equal(outputs.length, 1_200);
  const right = new Map(expected.map(({ id, probability }) => [Number(id), probability]));
  for (const { id, probability } of outputs)
    assert.ok(Math.abs((right.get(Number(id)) as number) - probability) < 1e-6, `${id}: ${probability}`);
});

test('a row that a changelog names is old for every instance, whoever hears of it', { skip }, async () => {
  const { variant, createTopics, upstream, run, answered, read, dir, stack } = await bench();
  const server = await startRedis();
  servers.push(server);
  const listening = variant('hears', (yaml) =>
    before(server.port)(yaml).replace('secondLevel:', 'invalidateBy: routes.changed, secondLevel:'),
  );
  const deaf = variant('deaf', before(server.port));
  for (const topology of [listening, deaf]) await createTopics(topology, 1);
  await stack.createTopic('routes.changed', 1);
  const [flight] = ALL;
  const key = `${flight.origin}#${flight.destination}`;
  const start = async (topology: typeof deaf) => {
    const child = run(topology.file);
    await child.ready();
    const producer = await upstream(topology.input);
    let sent = 0;
    const risk = async (): Promise<number> => {
      await producer.send([producer.message(flight)]);
      await answered(child, topology, ++sent);
      return decodeRisk((await read(topology.output)).at(-1)?.value as Buffer).probability;
    };
    return { child, risk, count: async (series: RegExp) => sum(await child.metrics(), series) };
  };
  const hears = await start(listening);
  const old = await hears.risk();
  const kept = () => hears.count(/^sluice_second_level_writes_total.*kept/);
  await hears.child.until('the row is kept', async () => (await kept()) === 1);

  const folder = join(dir, 'changed');
  mkdirSync(folder);
  cpSync(join(FEATURES, 'airport.jsonl.gz'), join(folder, 'airport.jsonl.gz'));
  const rows = gunzipSync(readFileSync(join(FEATURES, 'route.jsonl.gz')))
    .toString()
    .split('\n');
  const row = JSON.parse(rows.find((line) => line.includes(`"${key}"`)) as string);
  row.agg.late_share = row.agg.late_share > 0.5 ? 0 : 1;
  row.agg.mean_delay += 60;
  writeFileSync(join(folder, 'route.jsonl'), `${JSON.stringify(row)}\n`);
  const loaded = await sluice(['features', 'load', listening.file, folder], stack.env);
  assert.equal(loaded.code, 0, loaded.stderr);
  const changes = await upstream('routes.changed');
  await changes.send([{ key, value: null }]);
  const marked = () => hears.count(/^sluice_second_level_invalidations_total.*result="marked"/);
  await hears.child.until('the change is said to all', async () => (await marked()) === 1);

  const fresh = await hears.risk();
  assert.notEqual(fresh, old);
  const other = await start(deaf);
  assert.equal(await other.risk(), fresh, 'the old row stands in Redis no more');
  const asked = (result: string) => other.count(new RegExp(`^sluice_second_level_requests_total.*result="${result}"`));
  await other.child.until('it looked there', async () => (await asked('outdated')) + (await asked('miss')) === 1);
  assert.equal(await asked('hit'), 0);
  for (const { child } of [hears, other]) assert.equal(await child.stop(), 0, child.stderr.slice(-2_000));
});
