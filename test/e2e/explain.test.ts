import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type ExampleBench, lazyExample, TOPOLOGY, type Topics } from '../contract/example-bench.ts';
import { editedExample } from '../fixtures/edited-example.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { type Ran, runHere } from '../fixtures/io.ts';
import { quietKafka } from '../fixtures/reader.ts';
import { framed } from '../fixtures/upstream.ts';

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const HIGH = 0.5294805;
const bench = lazyExample(startEmbeddedStack);

const ANYWHERE: Readonly<Record<string, string>> = {
  ...{ BIGTABLE_EMULATOR_HOST: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' },
};

let topology: Topics & { readonly file: string };
let at: ExampleBench;

const explain = (...args: string[]): Promise<Ran> => runHere(['explain', ...args], { env: at.stack.env });

async function told(...args: string[]) {
  const { code, stdout, stderr } = await explain(...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

before(async () => {
  at = await bench();
  topology = at.variant('explained', (yaml) => yaml.replace('onMissing: impute', 'onMissing: dead-letter'));
  await at.createTopics(topology, 1);
  const upstream = await at.upstream(topology.input);
  const sixth = JSON.parse(readFileSync(EVENTS, 'utf8').split('\n')[5]);
  await upstream.send([
    upstream.message(sixth),
    { ...upstream.message({ ...sixth, id: 77, origin: 'DQA' }), headers: { note: 'kept' } },
    { key: 'garbage', value: Buffer.from([0xff, 0, 0x7b]) },
    { key: 'nil', value: null },
    { key: 'unknown', value: framed(4711, Buffer.from([1])) },
  ]);
  const child = at.run(topology.file);
  await at.answered(child, topology, 4);
  assert.equal(await child.stop(), 0);
  await upstream.send([upstream.message({ ...sixth, id: 78 })]);
});

test('an input that was published: every step, and the output that was made of it', async () => {
  const story = await told(topology.file, 'explained.departed:0:0');
  assert.deepEqual([story.record.offset, story.record.key, story.event.origin], [0, '2499475', 'JFK']);
  assert.deepEqual(
    story.lookUps.map(({ table, key }: { table: string; key: string }) => `${table} ${key}`),
    ['airport JFK', 'airport IAH', 'route JFK#IAH'],
  );
  const [route] = story.lookUps[2].views;
  assert.ok(route.found && route.ageMs >= 0 && route.columns.late_share > 0);
  assert.equal(story.let.minute, 423);
  assert.equal(story.row.features['dow[4]'], 1);
  assert.deepEqual(
    [story.prediction.band, story.fate, story.output.topic],
    ['high', 'published', 'explained.delay-risk'],
  );
  assert.ok(Math.abs(story.outputs.probability - HIGH) < 1e-6);
  const [outputs, letters] = story.searched;
  assert.equal(outputs.found.length, 1);
  assert.deepEqual(outputs.found[0].value, story.output.value, 'what was published is what would be');
  assert.deepEqual([letters.topic, letters.found], ['explained.dead-letter', []]);
});

test('for people: a line a step, the topology by either way', async () => {
  const { code, stdout, stderr } = await explain('explained.departed:0:0', '--topology', topology.file);
  assert.deepEqual([code, stderr], [0, '']);
  for (const said of [
    /^record {5}explained\.departed:0:0 {2}\S+Z {2}key 2499475 {2}schema \d+$/m,
    /^event {6}\{"id":2499475,.*"origin":"JFK"/m,
    /^features {3}route {2}JFK#IAH {2}by \{origin\}#\{destination\}$/m,
    /^ +route {2}family agg {2}age .* late_share 0\.\d+ {2}mean_delay -8\.\d+/m,
    /^let {8}minute = 423$/m,
    /^row {8}features: tod \[0\.962\d+ .*\] {2}dow \[0 0 0 0 1 0 0\] {2}log_distance 7\.25/m,
    /^model {6}probability = 0\.52948\d* {2}flight-delay@1#[0-9a-f]{12}$/m,
    /^predicts {3}probability 0\.52948\d* {2}band high$/m,
    /^outcome {4}publishes to explained\.delay-risk, key 2499475: \{"id":2499475,/m,
    /^topic {6}explained\.delay-risk:0:0 {2}\S+Z {2}\{"id":2499475.*model=flight-delay@1#/m,
    /^topic {6}explained\.dead-letter: nothing of it among \d records from \S+ on$/m,
  ]) {
    assert.match(stdout, said);
  }
});

test('an output and a dead letter lead back to their inputs', async () => {
  const output = await told(topology.file, 'explained.delay-risk/0/0');
  assert.deepEqual([output.record.topic, output.record.offset], ['explained.departed', 0]);
  assert.deepEqual(output.via, ['explained.delay-risk:0:0 was made of explained.departed:0:0']);
  const letter = await told(topology.file, 'explained.dead-letter:0:0');
  assert.equal(letter.record.topic, 'explained.departed');
  assert.equal(letter.via.length, 1, 'its input is there');
  assert.match(letter.via[0], /^explained\.dead-letter:0:0 is a dead letter \(\S+\) of explained\.departed\/0\/\d$/);
});

test('what dead-letters says which view, row and field it was', async () => {
  const missing = await told(topology.file, 'explained.departed:0:1');
  assert.deepEqual([missing.fate, missing.reason, missing.stage], ['dead-lettered', 'feature-missing', 'enrich']);
  assert.match(
    missing.why,
    /^view route is missing \(table route, row DQA#IAH\); view slots is missing .*; load it, or/,
  );
  assert.equal(
    missing.searched[1].found[0].headers.find(({ name }: { name: string }) => name === 'note').value,
    'kept',
  );
  const garbage = await told(topology.file, 'explained.departed:0:2');
  assert.deepEqual([garbage.reason, garbage.event], ['decode-failed', null]);
  assert.deepEqual(garbage.lookUps, [], 'nothing was looked up for what was not decoded');
  assert.match(garbage.why, /no schema id in front/);
  const unknown = await told(topology.file, 'explained.departed:0:4');
  assert.equal(unknown.reason, 'schema-unknown');
  assert.match(unknown.why, /has no schema with id 4711/);
  const nil = await told(topology.file, 'explained.departed:0:3');
  assert.deepEqual([nil.fate, nil.reason], ['dropped', 'tombstone']);
  assert.deepEqual(nil.lookUps, []);
});

test('what is stale by the topology of today says how old it is; what was published then is shown beside it', async () => {
  const stale = join(at.dir, 'stale.yaml');
  const yaml = readFileSync(topology.file, 'utf8');
  writeFileSync(stale, yaml.replace('maxAge: 7d, onStale: use', 'maxAge: 1ms, onStale: dead-letter'));
  const story = await told(stale, 'explained.departed:0:0');
  assert.deepEqual([story.reason, story.lookUps[2].views[1].stale], ['feature-stale', true]);
  assert.match(
    story.why,
    /^view slots is .* old, and maxAge is 1 ms \(table route, row JFK#IAH\); load it again, or set onStale to/,
  );
  assert.equal(story.searched[0].found.length, 1);
  const banded = editedExample(
    at.dir,
    'banded',
    () => yaml,
    (bundle) => bundle.replace('"medium", 0.5', '"medium", 0.6'),
  );
  const { stdout } = await explain(banded, 'explained.departed:0:0');
  assert.match(stdout, /"band":"high".* differs from what would be published now/);
});

test('a dependency that does not answer is told with what to do', { timeout: 60_000 }, async () => {
  const { env } = at.stack;
  const away = (name: string): Promise<Ran> =>
    runHere(['explain', topology.file, 'explained.departed:0:0'], { env: { ...env, [name]: ANYWHERE[name] } });
  const store = await away('BIGTABLE_EMULATOR_HOST');
  assert.match(store.stderr, /looked for as bigtable dev\/dev on the emulator at 127\.0\.0\.1:1: start it, or correct/);
  const registry = await away('SCHEMA_REGISTRY_URL');
  assert.match(
    registry.stderr,
    /^waiting for schema registry: .*\nsluice: schema registry http:\/\/127\.0\.0\.1:1 does not answer/,
  );
  assert.deepEqual([store.code, registry.code], [1, 1]);
});

test('one that was not processed yet is said to be in neither topic; the search is bounded and says so', async () => {
  const { searched, fate } = await told(topology.file, 'explained.departed:0:5');
  assert.equal(fate, 'published');
  assert.deepEqual(
    searched.map(({ found, complete }: { found: unknown[]; complete: boolean }) => [found, complete]),
    [
      [[], true],
      [[], true],
    ],
  );
  const { stdout } = await explain(topology.file, 'explained.departed:0:2', '--search', '1');
  assert.match(
    stdout,
    /dead-letter: nothing of it among 1 records from \S+ on; the search ended there, --search N looks further/,
  );
});

const mistakes: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
  ['nothing', () => [], 2, /^sluice: which pipeline\? give its topology file first/],
  ['no address', () => [topology.file], 2, /^sluice: which record\? give TOPIC:PARTITION:OFFSET/],
  [
    'an address that is none',
    () => [topology.file, 'explained.departed:0'],
    2,
    /"explained\.departed:0" is not TOPIC:PARTITION:OFFSET/,
  ],
  [
    'a topic of others',
    () => ['flights.departed:0:1', '--topology', topology.file],
    1,
    /topic "flights\.departed" does not exist on \S+; it has explained\.dead-letter, /,
  ],
  [
    'an offset to come',
    () => [topology.file, 'explained.departed:0:99'],
    2,
    /there is no record explained\.departed:0:99: explained\.departed\/0 holds offsets 0 to 5; what is behind that is not written yet; `sluice tail/,
  ],
  [
    'no such partition',
    () => [topology.file, 'explained.departed:7:0'],
    2,
    /explained\.departed:7:0: topic "explained\.departed" has partition 0 only/,
  ],
  ['no topology', () => ['no.yaml', 'a:0:0'], 2, /^sluice: no\.yaml cannot be run:\nno\.yaml:1:1 there is no file/],
  ['a file without a line', () => [TOPOLOGY, '--input', EVENTS], 2, /give --input FILE and --line N together/],
  [
    'no such file',
    () => [TOPOLOGY, '--input', 'no.jsonl', '--line', '1'],
    2,
    /^sluice: there is no file no\.jsonl; give --input/,
  ],
  [
    'a line behind the end',
    () => [TOPOLOGY, '--input', EVENTS, '--line', '501'],
    2,
    /has 500 lines, and no line 501; give --line 1 to 500/,
  ],
];
for (const [name, args, code, said] of mistakes) {
  test(`a mistake names thing, cause, remedy: ${name}`, async () => {
    const ran = await explain(...args());
    assert.match(ran.stderr, said);
    assert.deepEqual([ran.code, ran.stdout], [code, '']);
  });
}

test('a record of a topic that is none of the pipeline', async () => {
  await at.stack.createTopic('explained.other', 1);
  const other = await at.upstream('explained.other');
  await other.send([{ value: 'x' }]);
  const { code, stderr } = await explain(topology.file, 'explained.other:0:0');
  assert.equal(code, 2);
  assert.match(
    stderr,
    /explained\.other:0:0 is no record of \S+: that reads explained\.departed, and the record has neither/,
  );
});

test('an input that has expired: its dead letter has all of it, its output leads nowhere', async () => {
  const admin = quietKafka(at.stack.env.KAFKA_BROKERS, 'expiry').admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topology.input); // the client deletes only where it has looked before
  await admin.deleteTopicRecords({ topic: topology.input, partitions: [{ partition: 0, offset: '2' }] });
  await admin.disconnect();
  const letters = await told(topology.file, 'explained.dead-letter:0:0');
  assert.deepEqual([letters.record.offset, letters.reason, letters.event.id], [1, 'feature-missing', 77]);
  assert.deepEqual(letters.record.headers, [{ name: 'note', value: 'kept' }]);
  assert.match(letters.via[1], /^explained\.departed:0:1 is not there any more: its dead letter has all of it/);
  const output = await explain(topology.file, 'explained.delay-risk:0:0');
  assert.equal(output.code, 2);
  assert.match(
    output.stderr,
    /there is no record explained\.departed:0:0: .* holds offsets 2 to 5; what is before that has expired/,
  );
});
