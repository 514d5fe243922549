/** `sluice batch` on Apache Kafka: what the embedded broker has not: transactions, compressed batches, records that are deleted. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CompressionTypes, type Message, type Transaction } from 'kafkajs';
import { type Ran, runHere } from '../fixtures/io.ts';
import { quietKafka } from '../fixtures/reader.ts';
import { Sluice } from '../fixtures/sluice.ts';
import { type Services, startServices } from './services.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-batch-'));
const at = (name: string): string => join(folder, name);
const TOPOLOGY = at('small.yaml');
const lines = readFileSync('examples/flight-delay/events-500.jsonl', 'utf8').trim().split('\n');
const rows = (from: number, to: number, partition: number): Message[] =>
  lines.slice(from, to).map((value) => ({ key: 'k', value, partition }));

let services: Services;
let whole: string[];
before(async () => {
  writeFileSync(
    TOPOLOGY,
    readFileSync('topologies/hello.yaml', 'utf8').replace(
      /^flow:/m,
      'flow:\n  maxInFlight: { records: 40 }\n  maxBatch: 40',
    ),
  );
  whole = (
    await runHere(['batch', TOPOLOGY, '--input', 'examples/flight-delay/events-500.jsonl', '--output', '-'])
  ).stdout
    .trim()
    .split('\n');
  services = await startServices({ bigtable: false });
  const admin = quietKafka(services.brokers, 'test').admin();
  await admin.connect();
  await admin.createTopics({
    topics: ['hello.flights', 'copies', 'purged'].map((topic) => ({ topic, numPartitions: 2 })),
    waitForLeaders: true,
  });
  await admin.disconnect();
});

after(async () => {
  await services?.stop();
  rmSync(folder, { recursive: true });
});

function batch(...args: string[]): Promise<Ran> {
  return runHere(['batch', TOPOLOGY, ...args], { env: { KAFKA_BROKERS: services.brokers } });
}

async function send(topic: string, messages: Message[], compression = CompressionTypes.None): Promise<void> {
  const producer = quietKafka(services.brokers, 'test').producer();
  await producer.connect();
  await producer.send({ topic, messages, compression });
  await producer.disconnect();
}

async function transaction(id: string, messages: Message[]): Promise<Transaction & { close(): Promise<void> }> {
  const producer = quietKafka(services.brokers, id).producer({
    ...{ transactionalId: id, idempotent: true, maxInFlightRequests: 1 },
  });
  await producer.connect();
  const begun = await producer.transaction();
  await begun.send({ topic: 'hello.flights', messages });
  return Object.assign(begun, { close: () => producer.disconnect() });
}

const text = (...parts: readonly (readonly [number, number])[]): string =>
  parts
    .map(([from, to]) =>
      whole
        .slice(from, to)
        .map((line) => `${line}\n`)
        .join(''),
    )
    .join('');

test('committed records only; an open transaction ends its partition, and it is said how to read the rest', async () => {
  await send('hello.flights', rows(0, 200, 0), CompressionTypes.GZIP);
  const aborted = await transaction('aborted', rows(200, 210, 0));
  await aborted.abort();
  await aborted.close();
  const committed = await transaction('committed', rows(210, 250, 0));
  await committed.commit();
  await committed.close();
  await send('hello.flights', rows(250, 300, 1));
  const open = await transaction('open', rows(300, 310, 1));
  await send('hello.flights', rows(310, 400, 1), CompressionTypes.GZIP);
  const args = ['--input', 'kafka:hello.flights', '--output', at('held.jsonl')];
  const held = await batch(...args);
  assert.equal(held.code, 0, held.stderr);
  assert.match(
    held.stderr,
    /^290 predictions in .* s\na transaction that is still open holds more records back; once it has ended, --from 1:50 reads them\n$/,
  );
  assert.equal(readFileSync(at('held.jsonl'), 'utf8'), text([0, 200], [210, 250], [250, 300]));
  await open.commit();
  await open.close();
  const rest = await batch('--input', 'kafka:hello.flights', '--output', '-', '--from', '1:50', '--json');
  assert.equal(rest.stdout, text([300, 400]));
  assert.equal(JSON.parse(rest.stderr).heldBack, undefined);
});

test('a batch from topic to topic that is killed goes on, and every output is there once', async () => {
  const options = { topology: TOPOLOGY, input: 'kafka:hello.flights', output: 'kafka:copies', bookmark: at('copies') };
  const env = { KAFKA_BROKERS: services.brokers };
  const child = new Sluice(
    ['60', JSON.stringify({ ...options, json: true, resume: false })],
    env,
    'test/fixtures/batch-killed.ts',
  );
  assert.equal(await child.ended, 'SIGKILL', child.stderr);
  const { code, stderr } = await batch(
    '--input',
    options.input,
    '--output',
    options.output,
    '--bookmark',
    at('copies'),
    '--resume',
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /\n390 predictions in /);
  const copies = await runHere([
    'tail',
    'copies',
    '--from',
    'earliest',
    '--exit',
    '--json',
    '--brokers',
    services.brokers,
  ]);
  const sources = copies.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).headers as { name: string; value: string }[])
    .map((headers) => headers.find(({ name }) => name === 'sluice-source')?.value);
  assert.deepEqual([sources.length, new Set(sources).size], [390, 390]);
});

test('what was deleted before it was read is no part of a batch, and --resume says that it cannot go on', async () => {
  await send('purged', [...rows(0, 20, 0), ...rows(20, 40, 1)]);
  const admin = quietKafka(services.brokers, 'test').admin();
  await admin.connect();
  const purge = (offset: string) =>
    admin.deleteTopicRecords({ topic: 'purged', partitions: [{ partition: 1, offset }] });
  await admin.fetchTopicOffsets('purged');
  await purge('5');
  const args = ['--input', 'kafka:purged', '--output', at('purged.jsonl')];
  const { stdout } = await batch('--input', 'kafka:purged', '--output', '-');
  assert.equal(stdout, text([0, 20], [25, 40]));
  assert.equal((await batch(...args, '--resume', '--limit', '10')).code, 0);
  await purge('10');
  await admin.disconnect();
  const { code, stderr } = await batch(...args, '--resume');
  assert.equal(code, 2);
  assert.match(
    stderr,
    /cannot resume: offsets 5 to 19 of purged\/1 are still to be read, but it holds offsets 10 to 19; leave out --resume/,
  );
});
