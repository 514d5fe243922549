/** The example with Redis as the second level before its store, as an operator runs it: two starts, Redis killed and back during a run. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
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
