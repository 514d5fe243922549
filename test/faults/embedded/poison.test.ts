import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Fault } from '../../../src/devstack/kafka/server.ts';
import { append, type RawRecord } from '../../fixtures/kafka/append.ts';
import { committedOffsets, headerText, type ReadRecord, readTopic } from '../../fixtures/reader.ts';
import { Sluice } from '../../fixtures/sluice.ts';
import { audit, describeViolations, untilDrained } from '../ledger.ts';
import { record } from '../report.ts';
import { flights, type Hello, startHello } from './hello.ts';

/** Odd records and their dead letters, through the real process. More bad input is in test/contract/example-bad-input.ts. */
const WITHIN_MS = 60_000;
const LIMIT = { timeout: 120_000 };

async function deadLetters({ watched }: Hello): Promise<ReadRecord[]> {
  return readTopic(watched.brokers, watched.deadLetter);
}

const event = (id: number): Buffer =>
  Buffer.from(
    JSON.stringify({ id, departed_at: 991_356_180_000, origin: 'ATL', destination: 'PDX', distance: 500 + id }),
  );

test(
  'row 21: tombstones, null keys, empty values, 1,000 headers, binary names and null values are all answered',
  LIMIT,
  async (context) => {
    const hello = await startHello(context, { partitions: 1 });
    const [topic] = hello.watched.inputs;
    const thousand = Array.from(
      { length: 1_000 },
      (_, n) => [Buffer.from(`header-${n}`), Buffer.from(`value ${n}`)] as const,
    );
    const strange = [
      [Buffer.from([0xff, 0x00, 0xfe]), Buffer.from([0, 1, 2, 255])],
      [Buffer.from('__proto__'), Buffer.from('polluted')],
      [Buffer.from('without'), null],
      [Buffer.alloc(0), Buffer.from('of no name')],
      [Buffer.from('__dlq.errors.offset'), Buffer.from('0')],
      [Buffer.from('sluice-source'), Buffer.from('elsewhere/0/0')],
      [Buffer.from('traceparent'), Buffer.from('not a trace')],
    ] as const;
    const broken = Buffer.from('{ "id": ');
    const key = Buffer.from('k');
    const records: RawRecord[] = [
      { key, value: null, headers: strange },
      { key: null, value: event(1) },
      { key: Buffer.alloc(0), value: event(2), headers: strange },
      { key, value: event(3), headers: thousand },
      { key, value: Buffer.alloc(0) },
      { key: null, value: broken },
      { key, value: broken, headers: thousand },
      { key, value: broken, headers: strange },
      { key: Buffer.from([0xff, 0xfe]), value: Buffer.from([0xff, 0, 0x80]) },
      { key, value: event(9) },
    ];
    await append(hello.broker.brokers[0], topic, 0, records);
    const sluice = new Sluice(['run', hello.file, '--listen', '127.0.0.1:0', '--json'], hello.env);
    context.after(() => sluice.signal('SIGKILL'));
    await untilDrained(hello.watched, WITHIN_MS);
    assert.equal(await sluice.metric('sluice_records_total', { fate: 'dropped' }), 1);
    assert.equal(await sluice.stop(), 0);
    const outputs = await readTopic(hello.watched.brokers, hello.watched.output);
    assert.deepEqual(
      outputs.map((output) => headerText(output, 'sluice-source')),
      [1, 2, 3, 9].map((offset) => `${topic}/0/${offset}`),
    );
    for (const { headers } of outputs) {
      assert.ok(
        Object.keys(headers).every((name) => name.startsWith('sluice-')),
        'nothing of the input is passed through',
      );
    }
    const letters = await deadLetters(hello);
    assert.deepEqual(
      letters.map((letter) => Number(headerText(letter, '__dlq.errors.offset'))),
      [4, 5, 6, 7, 8],
    );
    for (const letter of letters) {
      const { key: ownKey, value } = records[Number(headerText(letter, '__dlq.errors.offset'))];
      assert.deepEqual([letter.key, letter.value], [ownKey, value], 'key and value as they came, byte for byte');
      assert.equal(headerText(letter, '__dlq.errors.reason'), 'decode-failed');
      assert.equal(headerText(letter, '__dlq.errors.topic'), topic);
    }
    const [, , many, odd] = letters;
    for (const [name, value] of thousand) assert.equal(headerText(many, String(name)), String(value));
    // As text, which is all that the client can write; what pretended to be ours is put aside.
    for (const [name, value] of strange) {
      const text = String(name);
      const there = headerText(odd, text === '__dlq.errors.offset' ? `original.${text}` : text);
      // The stock reader puts a header named __proto__ beside the prototype of its object.
      assert.equal(text === '__proto__' ? there.split(',').at(-1) : there, String(value ?? ''), text);
    }
    assert.equal(describeViolations(await audit(hello.watched, { dropped: ({ offset }) => offset === 0 })), '');
    record({ rows: [21], test: context.name, faults: { record: records.length - 1 }, invariants: ['I1', 'I2', 'I12'] });
  },
);

const PRODUCE = 0;
const NOT_ENOUGH_REPLICAS = 19;
const TOPIC_AUTHORIZATION_FAILED = 29;

/** Partition 0 of the dead letters has its leader on the second node, which alone is at fault; all else is on the first. */
async function startSplit(context: Parameters<typeof startHello>[0], fault: () => Fault | undefined): Promise<Hello> {
  const onRequest = ({ apiKey, nodeId }: { apiKey: number; nodeId: number }) =>
    apiKey === PRODUCE && nodeId === 2 ? fault() : undefined;
  const hello = await startHello(context, { partitions: 2, brokers: 2, hooks: { onRequest } });
  const { inputs, output, deadLetter } = hello.watched;
  for (const topic of [...inputs, output, deadLetter]) {
    for (const partition of [0, 1]) {
      hello.broker.moveLeader(topic, partition, topic === deadLetter && partition === 0 ? 2 : 1);
    }
  }
  return hello;
}

const start = (context: Parameters<typeof startHello>[0], hello: Hello): Sluice => {
  const sluice = new Sluice(['run', hello.file, '--listen', '127.0.0.1:0', '--json'], hello.env);
  context.after(() => sluice.signal('SIGKILL'));
  return sluice;
};

/** Two partitions of 100 records, of which number 40 and 41 are no flights, one in each. */
async function produceWithTwoBad(hello: Hello): Promise<void> {
  const [topic] = hello.watched.inputs;
  for (const partition of [0, 1]) {
    const records = flights(100).map(({ id }) => ({
      key: Buffer.from(String(2 * id + partition)),
      value: id === 40 ? Buffer.from('no flight') : event(2 * id + partition),
    }));
    await append(hello.broker.brokers[0], topic, partition, records);
  }
}

test(
  'row 35: dead letters that cannot be written stop their partition, say so, and are written later, once',
  LIMIT,
  async (context) => {
    let refusals = 0;
    let refuses = true;
    const hello = await startSplit(context, () => {
      if (!refuses) return undefined;
      refusals++;
      return { errorCode: NOT_ENOUGH_REPLICAS };
    });
    await produceWithTwoBad(hello);
    const sluice = start(context, hello);
    const { brokers, group, inputs, deadLetter } = hello.watched;
    const committed = () => committedOffsets(brokers, group, inputs[0]);
    await sluice.until('the other partition is done', async () => (await committed())[1] === 100);
    await sluice.until('/ready names the topic', async () =>
      (await sluice.health()).reason.includes(`broker ${deadLetter}/0`),
    );
    await sluice.until('it was tried again and again', () => refusals >= 4);
    assert.equal((await sluice.health('/live')).status, 200);
    assert.ok((await committed())[0] <= 40, 'no position beyond the record without its dead letter');
    assert.deepEqual(hello.broker.endOffsets(deadLetter), [0, 1]);
    refuses = false;
    await untilDrained(hello.watched, WITHIN_MS);
    await sluice.ready();
    assert.equal(await sluice.stop(), 0);
    assert.equal(describeViolations(await audit(hello.watched)), '');
    const letters = await deadLetters(hello);
    assert.deepEqual(letters.map(({ partition, key }) => [partition, String(key)]).sort(), [
      [0, '80'],
      [1, '81'],
    ]);
    record({
      rows: [35],
      test: context.name,
      faults: { refusal: refusals },
      invariants: ['I1', 'I2', 'I3', 'I4', 'I9'],
      duplicates: 0,
    });
  },
);

test(
  'row 35: without the right to write dead letters the run ends, with no position beyond what is settled',
  LIMIT,
  async (context) => {
    let refuses = true;
    const hello = await startSplit(context, () => (refuses ? { errorCode: TOPIC_AUTHORIZATION_FAILED } : undefined));
    await produceWithTwoBad(hello);
    const first = start(context, hello);
    assert.equal(await first.ended, 1);
    assert.match(first.stderr, /give this user the right/);
    const { brokers, group, inputs } = hello.watched;
    assert.ok((await committedOffsets(brokers, group, inputs[0]))[0] <= 40);
    refuses = false;
    const second = start(context, hello);
    await untilDrained(hello.watched, WITHIN_MS);
    assert.equal(await second.stop(), 0);
    assert.equal(describeViolations(await audit(hello.watched, { maxDuplicates: 200 })), '');
    record({ rows: [35], test: context.name, faults: { refusal: 1 }, invariants: ['I1', 'I4'] });
  },
);

test(
  'row 17: a topic of nothing but bad records is not moved to the dead letters: it is held, and says why',
  LIMIT,
  async (context) => {
    const hello = await startHello(context, { partitions: 2, drain: '60s' });
    const topology = readFileSync(hello.file, 'utf8');
    const limited = topology.replace(/^(deadLetter: \{ topic: \S+) \}/m, '$1, limit: { ratio: 0.5, window: 100 } }');
    assert.notEqual(limited, topology);
    writeFileSync(hello.file, limited);
    const { brokers, group, inputs, deadLetter } = hello.watched;
    await hello.produce(flights(200));
    const sluice = start(context, hello);
    await untilDrained(hello.watched, WITHIN_MS);
    const bad = Array.from({ length: 2_000 }, (_, n) => ({ key: null, value: Buffer.from(`no flight ${n}`) }));
    for (const from of [0, 500, 1_000, 1_500]) {
      await append(hello.broker.brokers[0], inputs[0], 0, bad.slice(from, from + 500));
    }
    await sluice.until('/ready says why', async () => (await sluice.health()).reason.includes('are dead letters'));
    assert.match((await sluice.health()).reason, /of the last 100 records .*decode-failed.*sluice dlq list/);
    assert.equal((await sluice.health('/live')).status, 200);
    assert.equal(await sluice.metric('sluice_pauses_total', { reason: 'dead-letters' }), 1);
    const [held, other] = hello.broker.endOffsets(deadLetter);
    assert.ok(held < 100 && other === 0, `${held} dead letters`);
    const stoppedMs = performance.now();
    assert.equal(await sluice.stop(), 1);
    assert.ok(performance.now() - stoppedMs < 30_000, 'far less than the drain budget');
    assert.match(sluice.stderr, /sluice dlq list.*restart/);
    assert.deepEqual(await committedOffsets(brokers, group, inputs[0]), [100 + held, 100]);
    assert.equal(hello.broker.endOffsets(deadLetter)[0], held);
    record({ rows: [17], test: context.name, faults: { record: bad.length }, invariants: ['I1', 'I4', 'I9', 'I12'] });
  },
);
