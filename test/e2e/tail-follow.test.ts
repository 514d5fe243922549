import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBroker } from '../../src/devstack/kafka/broker.ts';
import { runHere } from '../fixtures/io.ts';
import { quietKafka } from '../fixtures/reader.ts';

const LIST_OFFSETS = 2;
const METADATA = 3;
const API_VERSIONS = 18;

async function send(brokers: string, ...values: string[]): Promise<void> {
  const sender = quietKafka(brokers, 'test').producer();
  await sender.connect();
  await sender.send({ topic: 'short', messages: values.map((value) => ({ value })) });
  await sender.disconnect();
}

test('it asks for metadata, offsets and records: of groups and positions it says nothing', async () => {
  const asked = new Set<number>();
  const broker = await createBroker({
    hooks: {
      onRequest({ apiKey }) {
        asked.add(apiKey);
        return undefined;
      },
    },
    log: () => {},
  });
  broker.createTopic('quiet');
  const ran = await runHere(['tail', 'quiet', '--brokers', broker.brokers.join(','), '--from', '-1h', '--exit']);
  await broker.close();
  assert.deepEqual([ran.code, [...asked].sort((a, b) => a - b)], [0, [LIST_OFFSETS, METADATA, API_VERSIONS]]);
  assert.match(
    ran.stderr,
    /^nothing to show from that place on: quiet\/0 is empty, its next offset is 0; --from earliest/,
  );
});

test('it follows through an outage, and a topic that was made anew', { timeout: 60_000 }, async () => {
  let broker = await createBroker({ log: () => {} });
  const port = Number(broker.brokers[0].split(':')[1]);
  const brokers = broker.brokers.join(',');
  broker.createTopic('short');
  let shown: () => void = () => undefined;
  let end: () => void = () => undefined;
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      shown = resolve;
    });
  const ran = runHere(['tail', 'short', '--brokers', brokers], {
    onStdout(_, signal) {
      end = () => signal('SIGINT');
      shown();
      return undefined;
    },
  });
  const first = next();
  await send(brokers, 'a', 'b');
  await first;
  await broker.close();
  broker = await createBroker({ port, log: () => {} });
  broker.createTopic('short');
  const second = next();
  await send(brokers, 'c');
  await second;
  end();
  const { code, stdout, stderr } = await ran;
  await broker.close();
  assert.equal(code, 0);
  assert.match(stdout, /"c"\n$/);
  assert.match(stderr, /short\/0 ends at offset \d, and was read up to 2: recreated or truncated; continuing from 0/);
});
