/** The example with its features in files: one is exchanged while it runs, for a good one and for a broken one. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FEATURES, flights, lazyExample } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { decodeRisk } from '../fixtures/upstream.ts';

const bench = lazyExample(startEmbeddedStack);

test('a feature file that is exchanged during a run is used from then on, and a broken one is not', async () => {
  const { variant, createTopics, upstream, run, answered, read, dir } = await bench();
  const folder = join(dir, 'exchanged');
  mkdirSync(folder);
  for (const name of readdirSync(FEATURES)) cpSync(join(FEATURES, name), join(folder, name));
  const topology = variant('exchanged', (yaml) =>
    yaml
      .replaceAll('from: bigtable', 'from: file')
      .replace(/ {2}bigtable: .*/, `  files: { folder: "${folder}" }`)
      .replace(/, maxAge: 7d, onStale: use/, '')
      .replace(/\n *cache: .*/, ''),
  );
  await createTopics(topology, 1);
  const [flight] = flights('examples/flight-delay/flights.jsonl.gz');
  const child = run(topology.file);
  await child.ready();
  const producer = await upstream(topology.input);
  const risk = async (records: number): Promise<number> => {
    await producer.send([producer.message(flight)]);
    await answered(child, topology, records);
    return decodeRisk((await read(topology.output)).at(-1)?.value as Buffer).probability;
  };
  const told = (event: string) => child.log().filter((line) => line.event === event);
  const before = await risk(1);

  const [name] = readdirSync(folder).filter((file) => file.startsWith('airport.'));
  const bytes = readFileSync(join(folder, name));
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  const worse = text.replaceAll(/"late_share":[0-9.e-]+/g, '"late_share":0.9');
  assert.notEqual(worse, text);
  writeFileSync(join(folder, 'next'), worse);
  // A plain file is taken before a packed one.
  renameSync(join(folder, 'next'), join(folder, 'airport.jsonl'));
  await child.until('it is loaded', () => told('feature-file-reloaded').length > 0);
  const after = await risk(2);
  assert.ok(after > before, `${after} is more than ${before}`);

  writeFileSync(join(folder, 'airport.jsonl'), `${worse}{"key": "XXX", "dep": {"late_share": "much"}}\n`);
  await child.until('it is refused', () => told('feature-file-refused').length > 0);
  const [line] = told('feature-file-refused');
  assert.match(String(line.reason), /airport\.jsonl:\d+: dep\.late_share must be a number, it is the text "much"/);
  assert.equal(await risk(3), after);
  assert.equal(await child.stop(), 0);
});
