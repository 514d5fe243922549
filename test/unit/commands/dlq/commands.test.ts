import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kafka, logLevel, type Message } from 'kafkajs';
import { createBroker, type EmbeddedBroker } from '../../../../src/devstack/kafka/broker.ts';
import { type Ran, type RunSetup, runHere } from '../../../fixtures/io.ts';
import { readTopic } from '../../../fixtures/reader.ts';

const TOPOLOGY = 'topologies/hello.yaml';
const INPUT = 'hello.flights';
const LETTERS = 'hello.dead-letter';

/** A broker a test: the topics of the topology have one name. */
async function withLetters(
  letters: readonly Message[],
  work: (
    dlq: (command: string, args?: readonly string[], setup?: RunSetup) => Promise<Ran>,
    broker: EmbeddedBroker,
  ) => Promise<void>,
  partitions = 2,
): Promise<void> {
  const broker = await createBroker({ log: () => undefined });
  broker.createTopic(INPUT, { partitions: 1 });
  broker.createTopic(LETTERS, { partitions });
  const producer = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING }).producer();
  try {
    await producer.connect();
    for (const letter of letters) await producer.send({ topic: LETTERS, messages: [letter] });
    const env = { KAFKA_BROKERS: broker.brokers.join(',') };
    await work(
      (command, args = [], setup = {}) => runHere(['dlq', command, TOPOLOGY, ...args], { ...setup, env }),
      broker,
    );
  } finally {
    await producer.disconnect();
    await broker.close();
  }
}

function letter(
  n: number,
  said: Readonly<Record<string, string>> = {},
  value: string | Buffer | null = `v${n}`,
): Message {
  const envelope: Readonly<Record<string, string>> = {
    topic: INPUT,
    partition: '0',
    offset: String(n),
    timestamp: '1700000000000',
    stage: 'decode',
    reason: 'decode-failed',
    attempts: '1',
    'first-seen': new Date(1_750_000_000_000 + n).toISOString(),
    ...said,
  };
  const headers = Object.fromEntries(Object.entries(envelope).map(([name, text]) => [`__dlq.errors.${name}`, text]));
  return { partition: n % 2, key: `k${n}`, value, headers };
}

const letters = (count: number): Message[] => Array.from({ length: count }, (_, n) => letter(n));
const inputs = async (broker: EmbeddedBroker): Promise<string[]> =>
  (await readTopic(broker.brokers.join(','), INPUT)).map(({ value }) => String(value));

test('a replay that ends early says where to continue, and then nothing is skipped or sent twice', async () => {
  await withLetters(letters(10), async (dlq, broker) => {
    const some = await dlq('replay', ['--all', '--limit', '7']);
    assert.equal(some.code, 0, some.stderr);
    assert.match(some.stderr, /^7 dead letters replayed.*\nnot all: as many as --limit allows; --from 1:2 goes on\n/);
    const { stdout } = await dlq('replay', ['--all', '--limit', '2', '--from', '1:2', '--json']);
    assert.deepEqual(JSON.parse(stdout), { topic: LETTERS, replayed: 2, withoutBody: 0, dry: false, rest: '1:4' });
    const rest = await dlq('replay', ['--all', '--from', '1:4']);
    assert.match(rest.stderr, /^1 dead letters replayed/);
    assert.doesNotMatch(rest.stderr, /not all/);
    assert.deepEqual(
      await inputs(broker),
      [0, 2, 4, 6, 8, 1, 3, 5, 7, 9].map((n) => `v${n}`),
    );
    assert.equal((await dlq('replay', ['--all', '--from', '1'])).code, 2);
  });
});

test('a letter from elsewhere ends a replay before it, in a dry run too, and what was sent is reported', async () => {
  const foreign = letter(4, { topic: 'elsewhere' });
  await withLetters([letter(0), letter(2), foreign], async (dlq, broker) => {
    for (const args of [['--all', '--dry'], ['--all']]) {
      const { code, stderr } = await dlq('replay', args);
      assert.equal(code, 2);
      assert.match(stderr, /0 dead letters .*\nnot all: .*; --from 0:0 goes on\n/);
      assert.match(stderr, /came from topic "elsewhere", which topologies\/hello\.yaml does not read/);
    }
    assert.deepEqual(await inputs(broker), []);
    const { code } = await dlq('replay', ['--source', INPUT]);
    assert.equal(code, 0);
    assert.deepEqual(await inputs(broker), ['v0', 'v2']);
  });
});

test('records that are large together go one after the other', async () => {
  // The topic takes a megabyte a batch.
  const large = [200, 900, 200, 900].map((kib, n) => letter(2 * n, {}, Buffer.alloc(kib * 1024, 65 + n)));
  await withLetters(large, async (dlq, broker) => {
    const { code, stderr } = await dlq('replay', ['--all']);
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      (await inputs(broker)).map((value) => value[0]),
      ['A', 'B', 'C', 'D'],
    );
  });
});

test("untrusted headers and keys cannot move the reader's cursor", async () => {
  const evil = '\u001b[2J\u009b2J\n\u202ex';
  const spoofed = letter(0, { reason: evil, stage: evil, model: evil, instance: evil, 'schema-id': evil }, evil);
  await withLetters([{ ...spoofed, key: evil, headers: { ...spoofed.headers, [evil]: evil } }], async (dlq) => {
    const table = await dlq('list');
    const shown = await dlq('show', ['0:0']);
    assert.equal(table.stdout.split('\n').length, 3);
    for (const text of [table.stdout, table.stderr, shown.stdout]) {
      assert.doesNotMatch(text, /(?!\n)[\p{Cc}\u202e]/u);
    }
    assert.match(table.stdout, /\\u\{1b\}\[2J\\u\{9b\}2J\\u\{a\}\\u\{202e\}x/);
  });
});

test('show says why there is nothing to show', async () => {
  const stranger: Message = { partition: 0, key: 'k', value: 'v' };
  const bodiless = letter(2, { bytes: '5000000', reason: 'too-large' }, null);
  await withLetters([stranger, bodiless, letter(4, {}, null)], async (dlq) => {
    for (const [at, why] of [
      ['0:0', /no dead letter at 0:0: what lies there is no dead letter of Sluice/],
      ['0:3', /partition 0 holds offsets 0 to 2/],
      ['1:0', /partition 1 is empty/],
      ['2:0', /it has no partition 2/],
    ] as const) {
      const { code, stdout, stderr } = await dlq('show', [at]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, why);
    }
    const raw = await dlq('show', ['0:1', '--raw']);
    assert.deepEqual([raw.code, raw.stdout], [1, '']);
    assert.match(raw.stderr, /0:1 was kept without its body of 5000000 bytes; read it at hello\.flights\/0\/2/);
    assert.equal((await dlq('show', ['0:2', '--raw'])).code, 0);
  });
});
