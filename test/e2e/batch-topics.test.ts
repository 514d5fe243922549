/** `sluice batch` with topics at its ends, on the embedded stack. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Stack } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { type Ran, runHere } from '../fixtures/io.ts';
import { committedOffsets, headerText, quietKafka, readTopic } from '../fixtures/reader.ts';
import { createUpstream, decodeRisk, type Flight, readJsonLines } from '../fixtures/upstream.ts';

const HELLO = 'topologies/hello.yaml';
const FLIGHTS = 'topologies/flight-delay.yaml';
const EVENTS = 'examples/flight-delay/events-500.jsonl';
const FEATURES = 'examples/flight-delay/features';
const PARTITIONS = 3;

const folder = mkdtempSync(join(tmpdir(), 'sluice-batch-topics-'));
const at = (name: string): string => join(folder, name);
const lines = readFileSync(EVENTS, 'utf8').trim().split('\n');
/** Line i lies in partition i % 3 at offset i / 3, a minute behind the one before. */
const EPOCH_MS = Date.parse('2026-01-31T00:00:00Z');

let stack: Stack;
let whole: string[];
before(async () => {
  stack = await startEmbeddedStack();
  for (const topic of [
    'hello.flights',
    'hello.late',
    'hello.again',
    'flights.risk',
    'flights.departed',
    'empty',
    'nightly',
  ]) {
    await stack.createTopic(topic, PARTITIONS);
  }
  const sender = quietKafka(stack.env.KAFKA_BROKERS, 'test').producer();
  await sender.connect();
  const messages = lines.map((value, i) => {
    return { value, partition: i % PARTITIONS, timestamp: String(EPOCH_MS + 60_000 * i) };
  });
  await sender.send({ topic: 'hello.flights', messages });
  await sender.disconnect();
  whole = (await batch({ input: EVENTS, output: '-' })).stdout.trim().split('\n');
});

after(async () => {
  await stack?.stop();
  rmSync(folder, { recursive: true });
});

function batch(options: Readonly<Record<string, string | true>>, topology = HELLO): Promise<Ran> {
  const given: typeof options = { input: 'kafka:hello.flights', output: '-', ...options };
  const args = Object.entries(given).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
  return runHere(['batch', topology, ...args], { env: stack.env });
}

/** What comes of these lines of the events, a partition behind the other. */
const expected = (wanted: (partition: number, offset: number) => boolean): string =>
  Array.from({ length: PARTITIONS }, (_, partition) =>
    whole
      .filter((_, i) => i % PARTITIONS === partition && wanted(partition, Math.floor(i / PARTITIONS)))
      .map((line) => `${line}\n`)
      .join(''),
  ).join('');

const minuteOf = (partition: number, offset: number): number => offset * PARTITIONS + partition;

test('a topic to a file: all of it, its partitions one behind the other, the same at every run', async () => {
  const first = await batch({ output: at('all.jsonl') });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /^500 predictions in /);
  assert.equal(
    readFileSync(at('all.jsonl'), 'utf8'),
    expected(() => true),
  );
  assert.equal(
    (await batch({})).stdout,
    expected(() => true),
  );
  assert.deepEqual(await committedOffsets(stack.env.KAFKA_BROKERS, 'hello', 'hello.flights'), [-1, -1, -1]);
});

for (const [options, wanted] of [
  [{ from: '100' }, (_: number, offset: number) => offset >= 100],
  [{ from: '-5' }, (partition: number, offset: number) => offset >= (partition < 2 ? 162 : 161)],
  [{ from: '10', to: '20' }, (_: number, offset: number) => offset >= 10 && offset < 20],
  [
    { from: '0:160,2:0', to: '0:165,2:3' },
    (p: number, offset: number) => (p === 0 ? offset >= 160 && offset < 165 : p === 2 && offset < 3),
  ],
  [{ from: '1:160' }, (p: number, offset: number) => p === 1 && offset >= 160],
  [
    { from: '2026-01-31T01:00:00Z', to: '2026-01-31T02:00:00Z' },
    (p: number, offset: number) => minuteOf(p, offset) >= 60 && minuteOf(p, offset) < 120,
  ],
  [{ to: '7' }, (_: number, offset: number) => offset < 7],
] as const) {
  test(`a part of a topic: ${JSON.stringify(options)}`, async () => {
    const { code, stdout, stderr } = await batch(options);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, expected(wanted));
  });
}

test('a limit counts over all partitions', async () => {
  const { stdout, stderr } = await batch({ limit: '200' });
  assert.equal(
    stdout,
    expected(() => true)
      .split('\n')
      .slice(0, 200)
      .join('\n')
      .concat('\n'),
  );
  assert.match(stderr, /^200 predictions in /);
});

test('a job of every night that resumes hears that there is nothing left, and what came meanwhile', async () => {
  const options = { output: at('nightly.jsonl'), resume: true, input: 'kafka:nightly' } as const;
  const sender = quietKafka(stack.env.KAFKA_BROKERS, 'test').producer();
  await sender.connect();
  const send = (count: number) =>
    sender.send({ topic: 'nightly', messages: lines.slice(0, count).map((value) => ({ value, partition: 1 })) });
  await send(20);
  assert.match((await batch(options)).stderr, /^20 predictions in /);
  assert.match((await batch(options)).stderr, /nightly\.jsonl is complete, .*\.jsonl\n20 predictions in /);
  await send(7);
  const { stderr } = await batch(options);
  await sender.disconnect();
  assert.match(
    stderr,
    /is complete, and nothing is left to do .*; topic nightly has 7 offsets more by now, for another batch\n20 /,
  );
});

test('an empty topic is no failure', async () => {
  const { code, stdout, stderr } = await batch({ input: 'kafka:empty' });
  assert.deepEqual([code, stdout], [0, ''], stderr);
  assert.match(stderr, /^0 predictions in /);
});

for (const name of ['out.csv', 'out.csv.gz', 'out.jsonl.zst', 'out.avro', 'out.parquet']) {
  test(`a topic to ${name} holds what a file makes of the same records`, async () => {
    assert.equal((await batch({ output: at(`topic-${name}`) })).code, 0);
    const input = at('in-order.jsonl');
    const inOrder = [0, 1, 2].flatMap((p) => lines.filter((_, i) => i % PARTITIONS === p));
    writeFileSync(input, inOrder.map((line) => `${line}\n`).join(''));
    assert.equal((await batch({ input, output: at(name) })).code, 0);
    assert.ok(readFileSync(at(`topic-${name}`)).equals(readFileSync(at(name))));
  });
}

test('a file to a topic: key and headers as run gives them', async () => {
  const { code, stdout, stderr } = await batch({ input: EVENTS, output: 'kafka:hello.late' });
  assert.deepEqual([code, stdout], [0, ''], stderr);
  const records = await readTopic(stack.env.KAFKA_BROKERS, 'hello.late');
  assert.equal(records.length, 500);
  const bySource = new Map(records.map((record) => [headerText(record, 'sluice-source'), record]));
  whole.forEach((line, i) => {
    const record = bySource.get(`${EVENTS}/0/${i}`);
    assert.equal(record?.value?.toString(), line);
    assert.equal(record?.key?.toString(), String(JSON.parse(line).id));
    assert.match(headerText(record, 'sluice-model'), /^hello@1#/);
  });
});

test('into a topic a batch delivers at least once, and says so where the topology asks for more', async () => {
  const once = at('once.yaml');
  const hello = readFileSync(HELLO, 'utf8');
  writeFileSync(once, hello.replace('latencyBudget: 50ms', 'delivery: exactly-once\n  latencyBudget: 50ms'));
  const options = { input: EVENTS, limit: '10' };
  const into = await batch({ ...options, output: 'kafka:hello.again' }, once);
  assert.equal(into.code, 0, into.stderr);
  assert.match(into.stderr, /^outputs go to topic "hello\.again" at least once: flow\.delivery exactly-once is for/);
  for (const [output, topology] of [
    [at('once.jsonl'), once],
    ['kafka:hello.again', HELLO],
  ]) {
    const { code, stderr } = await batch({ ...options, output }, topology);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /at least once/);
  }
});

test('a topic to a topic, by the schema registry, dead letters to a file; features of a folder, or of the store', async () => {
  const flights = readJsonLines<Flight>(EVENTS);
  const upstream = await createUpstream(stack.env, 'flights.departed');
  await upstream.send(flights.map((flight) => upstream.message(flight)));
  await upstream.send([{ key: 'bad', value: 'no flight' }]);
  await upstream.close();
  const { code, stderr } = await batch(
    {
      ...{ input: 'kafka:flights.departed', output: 'kafka:flights.risk', features: FEATURES },
      'dead-letters': at('risk.dead'),
    },
    FLIGHTS,
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /500 predictions, 1 dead letter \(1 /);
  const [letter] = readFileSync(at('risk.dead'), 'utf8').trim().split('\n');
  assert.equal(JSON.parse(letter).topic, 'flights.departed');
  const loaded = await runHere(['features', 'load', FLIGHTS, FEATURES], { env: stack.env });
  assert.equal(loaded.code, 0, loaded.stderr);
  const options = { input: 'kafka:flights.departed', from: '0:0', output: at('online.jsonl') };
  const offline = await batch({ ...options, output: at('offline.jsonl'), features: FEATURES }, FLIGHTS);
  const online = await batch(options, FLIGHTS);
  assert.deepEqual([offline.code, online.code], [0, 0], online.stderr);
  assert.equal(readFileSync(at('online.jsonl'), 'utf8'), readFileSync(at('offline.jsonl'), 'utf8'));
  const records = await readTopic(stack.env.KAFKA_BROKERS, 'flights.risk');
  const file = await batch({ input: EVENTS, features: FEATURES }, FLIGHTS);
  const wanted = new Map(
    file.stdout
      .trim()
      .split('\n')
      .map((line) => [JSON.parse(line).id, JSON.parse(line)]),
  );
  assert.equal(records.length, 500);
  for (const record of records) {
    const { id, probability, band } = decodeRisk(record.value as Buffer);
    assert.equal(band, wanted.get(id).band);
    assert.ok(Math.abs(probability - wanted.get(id).probability) < 1e-6);
    assert.match(headerText(record, 'sluice-source'), /^flights\.departed\/[012]\/\d+$/);
    assert.match(headerText(record, 'sluice-inputs'), /schema=\d+/);
  }
});

test('what does not go together, or is not there, is wrong usage or a failure that says what to do', async () => {
  for (const [options, code, complaint] of [
    [{ input: 'kafka:hello.flight' }, 1, /topic "hello\.flight" does not exist on .*; did you mean "hello\.flights"\?/],
    [{ output: 'kafka:hello.lat' }, 1, /topic "hello\.lat" does not exist on .*; did you mean "hello\.late"\?/],
    [
      { input: 'kafka:' },
      2,
      /--input kafka:: "" is no name of a topic; give kafka:TOPIC, or \.\/kafka: where a file is meant/,
    ],
    [
      { input: EVENTS, from: '10' },
      2,
      /--from is a place in a topic, and --input is the file .*; leave it out, or give --input kafka:TOPIC/,
    ],
    [
      { 'input-format': 'csv' },
      2,
      /--input-format csv is about a file; the values of topic hello\.flights are as the topology says/,
    ],
    [
      { output: 'kafka:hello.flights' },
      2,
      /--input and --output are the same topic, hello\.flights; give each its own/,
    ],
    [{ input: EVENTS, output: 'kafka:hello.dead-letter' }, 2, /is the topic of dead letters of .*; give another topic/],
    [{ input: EVENTS, output: 'kafka:hello.flights' }, 2, /is the input of .*; give another topic/],
    [{ 'dead-letters': 'kafka:x' }, 2, /dead letters of a batch go to a file; give --dead-letters FILE/],
    [{ from: 'soon' }, 2, /--from: "soon" is none of: earliest, /],
    [{ from: 'latest' }, 2, /--from latest: a batch reads up to the end that the topic has at the start/],
    [{ to: 'earliest' }, 2, /--to earliest: there is nothing before that/],
    [{ from: '20', to: '10' }, 2, /--from 20 is not before --to 10; correct --from or --to \(--to is not included\)/],
    [{ from: '0:20', to: '0:10' }, 2, /of hello\.flights\/0, --from is offset 20 and --to is offset 10; correct/],
    [{ from: '0:20', to: '1:30' }, 2, /--from names partitions 0, and --to partitions 1; name the same ones/],
    [{ from: '7:20' }, 2, /--from: topic "hello\.flights" has no partition 7; it has partitions 0 to 2/],
    [{ to: '9999' }, 2, /--to: there is no offset 9999: hello\.flights\/0 holds offsets 0 to 166/],
    [{ from: '1h', to: '2h' }, 2, /--from 1h is not before --to 2h/],
  ] as const) {
    const ran = await batch(options);
    assert.equal(ran.code, code, `${JSON.stringify(options)} ${ran.stderr}`);
    assert.match(ran.stderr, complaint);
    assert.equal(ran.stdout, '');
  }
  const alone = at('alone.yaml');
  writeFileSync(alone, readFileSync(HELLO, 'utf8').replace(/^connections:\n.*\n/m, ''));
  const { code, stderr } = await batch({}, alone);
  assert.equal(code, 2);
  assert.match(stderr, /names no connections\.kafka, which kafka:hello\.flights needs; add it/);
});
