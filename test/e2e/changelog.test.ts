import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lazyExample } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { quietKafka } from '../fixtures/reader.ts';
import { sluice } from '../fixtures/sluice.ts';
import { type Flight, readJsonLines } from '../fixtures/upstream.ts';

const bench = lazyExample(startEmbeddedStack);
const invalidatedBy = (topic: string) => (yaml: string) =>
  yaml.replace('cache: { entries: 100000,', `cache: { entries: 100000, invalidateBy: ${topic},`);

test('a changelog topic drops rows of the cache of every instance; what it names is read anew', async () => {
  const { stack, variant, createTopics, upstream, run } = await bench();
  const topology = variant('changing', invalidatedBy('changing.rows'));
  await createTopics(topology, 1);
  await stack.createTopic('changing.rows', 2);
  const producer = await upstream(topology.input);
  const [flight] = readJsonLines<Flight>('examples/flight-delay/events-500.jsonl').filter(
    ({ origin, destination }) => origin !== null && destination !== null,
  );
  const changes = quietKafka(stack.env.KAFKA_BROKERS, 'changes').producer();
  await changes.connect();
  const tell = (key: string) => changes.send({ topic: 'changing.rows', messages: [{ key, value: 'anything' }] });
  const route = { view: 'route+slots' };
  try {
    await tell('before the start');
    const child = run(topology.file);
    await child.ready();
    const counts = (metric: string, labels: Readonly<Record<string, string>>, value: number): Promise<unknown> =>
      child.until(`${value} of ${metric}`, async () => (await child.metric(metric, labels)) === value);
    const score = async (records: number): Promise<void> => {
      await producer.send([producer.message(flight)]);
      await counts('sluice_records_total', { fate: 'published' }, records);
    };
    await score(1);
    await score(2);
    assert.equal(await child.metric('sluice_cache_requests_total', { ...route, result: 'hit' }), 1);
    await counts('sluice_changelog_up', { topic: 'changing.rows' }, 1);
    await tell(`${flight.origin}#${flight.destination}`);
    await counts('sluice_cache_invalidations_total', { ...route, result: 'dropped' }, 1);
    await score(3);
    assert.equal(await child.metric('sluice_cache_requests_total', { ...route, result: 'miss' }), 2);
    assert.equal(await child.metric('sluice_cache_invalidations_total', { ...route, result: 'unknown' }), 0);
    assert.equal(await child.stop(), 0);
  } finally {
    await changes.disconnect();
  }
});

test('a changelog topic that does not exist ends the start, with its name', async () => {
  const { stack, variant, createTopics } = await bench();
  const topology = variant('unchanging', invalidatedBy('nowhere.rows'));
  await createTopics(topology, 1);
  const { code, stderr } = await sluice(['run', topology.file, '--dry'], stack.env);
  assert.notEqual(code, 0);
  assert.match(stderr, /topic "nowhere.rows" does not exist/);
});
