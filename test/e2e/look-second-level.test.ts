/** What a person is told of the second level of a feature cache: which level had a row, for how long, and nothing is changed by the look. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { FEATURES, flights, lazyExample } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { runHere } from '../fixtures/io.ts';
import { type RedisServer, redisMissing, startRedis } from '../fixtures/redis-server.ts';
import { sluice } from '../fixtures/sluice.ts';

const bench = lazyExample(startEmbeddedStack);
const servers: RedisServer[] = [];
after(() => Promise.all(servers.map((server) => server.stop())));
const skip = redisMissing() ?? false;

test('features get and explain say which level had a row, and for how long', { skip }, async () => {
  const { variant, createTopics, upstream, run, answered, stack } = await bench();
  const server = await startRedis();
  servers.push(server);
  const topology = variant('looked', (yaml) =>
    yaml
      .replace(/ {2}bigtable: .*/, (line) => `${line}\n  redis: { url: "redis://localhost:${server.port}" }`)
      .replaceAll(/cache: \{ /g, 'cache: { secondLevel: { timeout: 500ms }, '),
  );
  await createTopics(topology, 1);
  const loaded = await sluice(['features', 'load', topology.file, FEATURES], stack.env);
  assert.equal(loaded.code, 0, loaded.stderr);
  const [flight, other] = flights('examples/flight-delay/flights.jsonl.gz').filter(
    ({ origin, destination }, i, all) => i === 0 || (origin !== all[0].origin && destination !== all[0].destination),
  );
  const keyOf = ({ origin, destination }: typeof flight) => `${origin}#${destination}`;
  const get = async (of: typeof flight, ...more: string[]) => {
    const args = ['features', 'get', topology.file, keyOf(of), '--table', 'route', '--json', ...more];
    const { code, stdout, stderr } = await runHere(args, { env: stack.env });
    assert.equal(code, 0, stderr);
    return { ...JSON.parse(stdout), stderr };
  };
  const missed = await get(flight);
  assert.equal(missed.answeredBy.level, 'store');
  assert.equal((await get(flight)).answeredBy.level, 'store', 'a look keeps nothing');

  const child = run(topology.file);
  await child.ready();
  const producer = await upstream(topology.input);
  await producer.send([producer.message(flight)]);
  await answered(child, topology, 1);
  await child.until('rows are kept', async () =>
    /^sluice_second_level_writes_total.*kept.* [1-9]/m.test(await child.metrics()),
  );
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));

  const kept = await get(flight);
  const { level, askedAt, ageMs } = kept.answeredBy;
  assert.deepEqual([level, typeof ageMs, Date.parse(askedAt) > 0], ['second level', 'number', true]);
  assert.ok(ageMs >= 0 && ageMs < 600_000, `${ageMs}`);
  const columnsOf = ({ views }: typeof kept) => views.map(({ columns }: { columns: unknown }) => columns);
  assert.deepEqual(columnsOf(kept), columnsOf(missed));
  const [part] = (await get(flight, '--view', 'slots')).views;
  assert.deepEqual(part.columns, columnsOf(kept)[1], 'a part of a row that is kept whole');
  assert.equal((await get(flight, '--store')).answeredBy, undefined);
  assert.equal((await get(other)).answeredBy.level, 'store');

  const story = ['explain', topology.file, `${topology.input}:0:0`];
  const { stdout } = await runHere([...story, '--json'], { env: stack.env });
  const levels = JSON.parse(stdout).lookUps.map(({ table, answeredBy }: typeof kept) => [table, answeredBy?.level]);
  assert.deepEqual(levels, [
    ['airport', undefined],
    ['airport', undefined],
    ['route', 'second level'],
  ]);
  const people = await runHere(story, { env: stack.env });
  assert.match(people.stdout, /^features {3}route .* from the second level, where it is since \S+ m?(s|in)$/m);

  await server.kill();
  const without = await get(flight);
  assert.equal(without.answeredBy.level, 'store');
  assert.match(without.stderr, /^the second level of the cache is passed over: .*localhost:\d+/);
});
