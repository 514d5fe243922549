import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import avro from 'avsc';
import type { Message } from 'kafkajs';
import type { Stack } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { type Ran, runHere } from '../fixtures/io.ts';
import { quietKafka } from '../fixtures/reader.ts';
import { createUpstream, framed, register, type Upstream } from '../fixtures/upstream.ts';

const TOPOLOGY = 'topologies/flight-delay.yaml';
const NEWER = {
  type: 'record',
  name: 'Newer',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'gate', type: { type: 'record', name: 'Gate', fields: [{ name: 'name', type: 'string' }] } },
  ],
};

let stack: Stack;
let upstream: Upstream;
let newerId = -1;

async function send(topic: string, messages: Message[], brokers = stack.env.KAFKA_BROKERS): Promise<void> {
  const sender = quietKafka(brokers, 'test').producer();
  await sender.connect();
  await sender.send({ topic, messages });
  await sender.disconnect();
}

before(async () => {
  stack = await startEmbeddedStack();
  for (const [topic, partitions] of [
    ['mixed', 2],
    ['flights.departed', 1],
    ['flights.dead-letter', 1],
    ['empty', 2],
  ] as const) {
    await stack.createTopic(topic, partitions);
  }
  upstream = await createUpstream(stack.env, 'flights.departed');
  newerId = await register(stack.env.SCHEMA_REGISTRY_URL, 'mixed-value', JSON.stringify(NEWER));
  const flight = { id: 7, departed_at: 1_700_000_000_000, origin: 'JFK', destination: 'LAX', distance: 2475 };
  const at = (second: number) => String(1_700_000_000_000 + 1000 * second);
  await upstream.send([{ ...upstream.message(flight), timestamp: at(1) }]);
  const newer = framed(newerId, avro.Type.forSchema(NEWER as never).toBuffer({ id: 1, gate: { name: 'B 4' } }));
  await send('mixed', [
    { ...upstream.message(flight), partition: 0, timestamp: at(1), headers: { 'sluice-source': 'in/0/12' } },
    { key: 'n', value: newer, partition: 1, timestamp: at(2) },
    { key: 'j', value: '{"id":3,"origin":"SFO","v":[1,2,3,4,5,6,7,8,9,10]}', partition: 0, timestamp: at(3) },
    { key: null, value: 'just text\u001b[2J', partition: 1, timestamp: at(4) },
    { key: 'b', value: Buffer.from([0xff, 0x00, 0x7b]), partition: 0, timestamp: at(5) },
    { key: 'u', value: framed(4711, Buffer.from([1])), partition: 1, timestamp: at(6) },
    { key: 'x', value: null, partition: 0, timestamp: at(7) },
  ]);
  await send('flights.dead-letter', [
    {
      key: '7',
      value: framed(upstream.schemaId, Buffer.from([0xff])),
      headers: {
        ...{ '__dlq.errors.topic': 'flights.departed', '__dlq.errors.partition': '0', '__dlq.errors.offset': '12' },
        ...{ '__dlq.errors.reason': 'decode-failed', '__dlq.errors.stage': 'decode', '__dlq.errors.attempts': '2' },
        note: 'kept',
      },
    },
  ]);
});

after(async () => {
  await upstream?.close();
  await stack?.stop();
});

const tail = (...args: string[]): Promise<Ran> => runHere(['tail', ...args], { env: stack.env });

async function objects(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await tail(...args, '--json');
  assert.equal(code, 0, stderr);
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

test('a line a record, of all partitions by time: Avro by whichever schema wrote it, JSON, text, bytes with the reason', async () => {
  const { code, stdout, stderr } = await tail('mixed', '--from', 'earliest', '--exit');
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(stdout.split('\n'), [
    '0:0  2023-11-14T22:13:21.000Z  7  {"id":7,"departed_at":1700000000000,"origin":"JFK","destination":"LAX","distance":2475}  sluice-source=in/0/12',
    '1:0  2023-11-14T22:13:22.000Z  n  {"id":1,"gate":{"name":"B 4"}}',
    '0:1  2023-11-14T22:13:23.000Z  j  {"id":3,"origin":"SFO","v":[1,2,3,4,5,6,… 10 numbers]}',
    '1:1  2023-11-14T22:13:24.000Z  -  0x6a75737420746578741b5b324a (not decoded: it has no schema id in front, and is no UTF-8 text)',
    '0:2  2023-11-14T22:13:25.000Z  b  0xff007b (not decoded: it has no schema id in front, and is no UTF-8 text)',
    `1:2  2023-11-14T22:13:26.000Z  u  0x000000126701 (not decoded: schema registry ${stack.env.SCHEMA_REGISTRY_URL} has no schema with id 4711)`,
    '0:3  2023-11-14T22:13:27.000Z  x  null',
    '',
  ]);
});

test('--json: an object a record, what is not decoded in base64 with the reason', async () => {
  const [first, , , , , unknown] = await objects('mixed', '--from', 'earliest', '--exit');
  assert.deepEqual(first, {
    topic: 'mixed',
    partition: 0,
    offset: 0,
    timestamp: 1_700_000_001_000,
    key: '7',
    headers: [{ name: 'sluice-source', value: 'in/0/12' }],
    value: { id: 7, departed_at: 1_700_000_000_000, origin: 'JFK', destination: 'LAX', distance: 2475 },
    schemaId: upstream.schemaId,
  });
  const { value, schemaId, undecoded, valueBase64 } = unknown;
  assert.deepEqual([value, schemaId, valueBase64], [null, 4711, 'AAAAEmcB']);
  assert.match(String(undecoded), /no schema with id 4711$/);
});

test('--from, --limit, --partition and --where select the records that they name', async () => {
  const offsets = async (...args: string[]) =>
    (await objects('mixed', ...args)).map(({ partition, offset }) => `${partition}:${offset}`);
  assert.deepEqual(await offsets('--limit', '2'), ['1:2', '0:3'], 'the last of the topic, not of a partition');
  assert.deepEqual(await offsets('--from', '-1', '--exit'), ['1:2', '0:3']);
  assert.deepEqual(await offsets('--from', '2', '--exit'), ['0:2', '1:2', '0:3']);
  assert.deepEqual(await offsets('--from', '2023-11-14T22:13:25Z', '--exit'), ['0:2', '1:2', '0:3']);
  assert.deepEqual(await offsets('--from', '2099-01-01', '--exit'), []);
  assert.deepEqual(await offsets('--partition', '1', '--from', 'earliest', '--limit', '2'), ['1:0', '1:1']);
  assert.deepEqual(await offsets('--where', 'origin=SFO', '--exit'), ['0:1']);
  assert.deepEqual(await offsets('--where', 'gate.name~B', '--exit'), ['1:0']);
  assert.deepEqual(await offsets('--where', 'id>=3', '--where', 'origin!=SFO', '--limit', '9'), ['0:0']);
  assert.deepEqual(await offsets('--where', 'header:sluice-source=in/0/12', '--exit'), ['0:0']);
  assert.deepEqual(await offsets('--key', 'x', '--exit'), ['0:3']);
});

test('of a topology: connections, and its schemas where it has no registry', async () => {
  const withRegistry = await tail('flights.departed', '--topology', TOPOLOGY, '--exit');
  assert.match(withRegistry.stdout, /"origin":"JFK"/);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tail-'));
  const file = join(dir, 'alone.yaml');
  const yaml = readFileSync(TOPOLOGY, 'utf8').replace(/^ {2}registry: .*$/m, '');
  const ids = `wire: confluent, ids: [${upstream.schemaId}] }`;
  writeFileSync(
    file,
    yaml
      .replace('wire: confluent }', ids)
      .replace('delay-risk.avsc, wire: confluent }', 'delay-risk.avsc, wire: plain }'),
  );
  const env = { ...stack.env, SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
  const alone = await runHere(['tail', 'flights.departed', '--topology', file, '--exit'], { env });
  const letter = await runHere(['tail', 'mixed', '--topology', file, '--key', 'u', '--limit', '1'], { env });
  rmSync(dir, { recursive: true });
  assert.match(alone.stdout, /"origin":"JFK"/, alone.stderr);
  assert.match(
    letter.stdout,
    /schema id 4711 is not among the ids of the topology \(\d+\); add it to value\.ids or name a registry/,
  );
});

test('a dead letter says why and of what, a header of its own stays', async () => {
  const { stdout } = await tail('flights.dead-letter', '--topology', TOPOLOGY, '--limit', '1');
  assert.match(stdout, /0x00000000..ff \(not decoded: its bytes are no value of schema \d+, which it names\)/);
  assert.match(stdout, /decode-failed in decode, attempt 2 of flights\.departed\/0\/12 note=kept\n$/);
});

test('it follows: what comes later is shown, until a signal ends it', async () => {
  let lines = 0;
  const ran = runHere(['tail', 'empty'], {
    env: stack.env,
    onStdout(text, signal) {
      lines += text.split('\n').length - 1;
      if (lines === 2) signal('SIGINT');
      return undefined;
    },
  });
  await send('empty', [{ value: 'one', partition: 0 }]);
  await send('empty', [{ value: 'two', partition: 1 }]);
  const { code, stdout, stderr } = await ran;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /"one"\n.*"two"\n$/);
});

test('a reader that has seen enough ends it', async () => {
  const { code, stderr } = await runHere(['tail', 'mixed', '--from', 'earliest'], {
    env: stack.env,
    onStdout: () => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }),
  });
  assert.deepEqual([code, stderr], [0, '']);
});

for (const [name, args, code, said] of [
  [
    'no such topic',
    ['mixd', '--exit'],
    1,
    /^sluice: topic "mixd" does not exist on \S+; did you mean "mixed"\? it has empty, /,
  ],
  [
    'no such partition',
    ['mixed', '--partition', '2'],
    2,
    /^sluice: --partition: topic "mixed" has no partition 2; it has partitions 0 to 1\n$/,
  ],
  [
    'an offset that is not there',
    ['mixed', '--from', '99'],
    2,
    /^sluice: --from: there is no offset 99: mixed\/0 holds offsets 0 to 3, mixed\/1 holds offsets 0 to 2; give one/,
  ],
  [
    'a place that is none',
    ['mixed', '--from', 'yesterday'],
    2,
    /^sluice: --from: "yesterday" is none of: earliest, latest, an offset/,
  ],
  ['a filter that is none', ['mixed', '--where', 'origin'], 2, /^sluice: --where: "origin" is not FIELD=VALUE/],
  ['a comparison with no number', ['mixed', '--where', 'id>much'], 2, /compares with "much", which is no number/],
  [
    'a field that no record has',
    ['mixed', '--where', 'origni=JFK', '--exit'],
    0,
    /no record has a field "origni"; did you mean "origin"\? there are id, /,
  ],
  [
    'a header that no record has',
    ['mixed', '--where', 'header:source=x', '--exit'],
    0,
    /no record has a header "source"; there are sluice-source\n$/,
  ],
  ['nothing that matches', ['mixed', '--where', 'origin=XXX', '--exit'], 0, /^none of 7 records matches/],
  [
    'a topology that is not there',
    ['mixed', '--topology', 'no.yaml'],
    2,
    /^sluice: no\.yaml cannot be used:\nno\.yaml:1:1 there is no file/,
  ],
] as const) {
  test(`a mistake names thing, cause, remedy: ${name}`, async () => {
    const ran = await tail(...args);
    assert.match(ran.stderr, said);
    assert.deepEqual([ran.code, ran.stdout], [code, '']);
  });
}

test('a registry that is away costs the decoding, and says so', async () => {
  const env = { ...stack.env, SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
  const { code, stdout } = await runHere(['tail', 'flights.departed', '--exit'], { env });
  assert.equal(code, 0);
  assert.match(stdout, /0x0000.*… 3\d bytes|0x0000/);
  assert.match(stdout, /\(not decoded: schema registry http:\/\/127\.0\.0\.1:1 does not answer: /);
});

test('a broker that is away is told with its address', { timeout: 30_000 }, async () => {
  const { code, stderr } = await runHere(['tail', 'mixed', '--brokers', '127.0.0.1:1', '--exit'], { env: stack.env });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^sluice: none of the brokers 127\.0\.0\.1:1 could be reached in \d+ attempts \(.*\): check the addresses/,
  );
});
