/** The example with its features in Redis, as an operator runs it: loaded, run, the store away and back. */
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

const inRedis =
  (port: number, more = '') =>
  (yaml: string): string =>
    yaml
      .replaceAll('from: bigtable', 'from: redis')
      .replace(/ {2}bigtable: .*/, `  redis: { url: "redis://localhost:${port}"${more} }`);

test('Redis away: nothing is dead-lettered, /ready says why, and it goes on when Redis is back', { skip }, async () => {
  const { variant, createTopics, upstream, run, answered, read, dir, stack } = await bench();
  const server = await startRedis();
  servers.push(server);
  const topology = variant('redis', inRedis(server.port));
  await createTopics(topology, 2);
  const load = async (): Promise<void> => {
    const { code, stderr } = await sluice(['features', 'load', topology.file, FEATURES], stack.env);
    assert.equal(code, 0, stderr);
  };
  await load();
  const doctor = await sluice(['doctor', topology.file], stack.env);
  assert.match(doctor.stdout, /table route of redis at localhost:\d+ with agg, slots can be read/);

  const child = run(topology.file);
  await child.ready();
  const producer = await upstream(topology.input);
  await producer.send(ALL.slice(0, 300).map((flight) => producer.message(flight)));
  await answered(child, topology, 300);

  await server.kill();
  // Flights of routes that the cache has not: the last ones of the file.
  await producer.send(ALL.slice(-300).map((flight) => producer.message(flight)));
  await child.until('/ready names the store', async () => /store/.test((await child.health()).reason));
  await server.boot();
  await load();
  await answered(child, topology, 600);
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));

  assert.equal((await read(topology.deadLetter)).length, 0);
  const input = join(dir, 'flights.jsonl');
  const rows = [...ALL.slice(0, 300), ...ALL.slice(-300)];
  writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const asked = ['batch', topology.file, '--input', input, '--features', FEATURES, '--output', '-'];
  const { stdout } = await sluice(asked, stack.env);
  const expected = stdout
    .trim()
    .split('\n')
    .map((line): Prediction => JSON.parse(line));
  assert.equal(expected.length, 600);
  const outputs = (await read(topology.output)).map(({ value }) => decodeRisk(value as Buffer));
  const found = new Map(outputs.map(({ id, probability }) => [Number(id), probability]));
  assert.equal(found.size, 600);
  for (const { id, probability } of expected.slice(0, 300))
    assert.ok(
      Math.abs((found.get(id) as number) - probability) < 1e-6,
      `${id}: ${found.get(id)}, by batch ${probability}`,
    );
});

test('a password that is wrong ends the run and doctor says so, without showing it', { skip }, async () => {
  const { variant, createTopics, run, stack } = await bench();
  const server = await startRedis(['--requirepass', 'right']);
  servers.push(server);
  const topology = variant('locked', inRedis(server.port, ', password: "canary-of-a-secret"'));
  await createTopics(topology, 1);
  const child = run(topology.file);
  assert.equal(await child.ended, 1);
  assert.match(child.stderr, /Redis at localhost:\d+ refused a connection \(WRONGPASS.*correct username and password/);
  const doctor = await sluice(['doctor', topology.file], stack.env);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /WRONGPASS/);
  for (const text of [child.stderr, child.stdout, doctor.stdout, doctor.stderr]) assert.ok(!text.includes('canary'));
});
