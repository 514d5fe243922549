import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { untilLed } from '../../fixtures/leaders.ts';
import { endOffsets, quietKafka, readTopic } from '../../fixtures/reader.ts';
import { ROOT, Sluice } from '../../fixtures/sluice.ts';
import { PASSWORD, type Secured, startSecured } from '../../integration/secured.ts';

/** The broker asks for a login again after so long, on every connection. */
const SESSION_MS = 3_000;

let secured: Secured;
before(async () => {
  secured = await startSecured({
    bigtable: false,
    kafkaSettings: { 'listener.name.sasl_ssl.connections.max.reauth.ms': String(SESSION_MS) },
  });
});
after(async () => {
  await secured?.stop();
});

/** As whoever mounts secrets does: in one step. */
function roll(password: string): void {
  const file = join(secured.dir, 'rolled');
  writeFileSync(`${file}.new`, `${password}\n`);
  renameSync(`${file}.new`, file);
}

test('row 32: a login that is refused while it runs holds the records, is said and counted, and is made good without a restart', async () => {
  const { services, saslSsl, dir } = secured;
  const topics = ['hello.flights', 'hello.late', 'hello.dead-letter'];
  const kafka = quietKafka(services.brokers, 'upstream');
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: false, topics: topics.map((topic) => ({ topic, numPartitions: 2 })) });
  for (const topic of topics) await untilLed(admin, topic, 2);
  roll(PASSWORD);
  const file = join(dir, 'topology.yaml');
  const login = `sasl: { mechanism: scram-sha-512, username: alice, password: "\${file:rolled}" }`;
  const yaml = readFileSync(join(ROOT, 'topologies/hello.yaml'), 'utf8');
  writeFileSync(file, yaml.replace(/kafka: .*/, `kafka: { brokers: "${saslSsl}", ssl: { ca: ca.pem }, ${login} }`));

  const producer = kafka.producer();
  await producer.connect();
  let sent = 0;
  async function send(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () => ({
      key: String(sent),
      value: JSON.stringify({ id: sent++, departed_at: 0, origin: 'JFK', destination: 'LAX', distance: 1 }),
    }));
    await producer.send({ topic: topics[0], acks: -1, messages });
  }
  const recordsIn = async (topic: string): Promise<number> =>
    (await endOffsets(services.brokers, topic)).reduce((a, b) => a + b, 0);
  /** What upstream had to send twice is two inputs. */
  const inputs = (): Promise<number> => recordsIn(topics[0]);
  const allAnswered = async (): Promise<boolean> => (await recordsIn(topics[1])) >= (await inputs());
  const child = new Sluice(['run', file, '--listen', '127.0.0.1:0', '--json'], {});
  try {
    await send(50);
    await child.until('the first are answered', allAnswered);
    await child.until('and committed', async () => {
      const [{ partitions }] = await admin.fetchOffsets({ groupId: 'hello', topics: [topics[0]] });
      return partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) >= (await inputs());
    });

    roll('another');
    const { reason } = await child.until('/ready says why', async () => {
      await send(1);
      const health = await child.health();
      return !health.ready && /authentication failed/.test(health.reason) && health;
    });
    assert.ok(!reason.includes(PASSWORD));
    assert.equal((await child.health('/live')).status, 200, 'a restart would not help');
    assert.ok((await child.metric('sluice_retries_total', { reason: 'login-refused' })) > 0);
    await send(50);

    roll(PASSWORD);
    await child.until('all are answered', allAnswered);
    await child.ready();
  } finally {
    await producer.disconnect();
    await admin.disconnect();
  }
  assert.equal(await child.stop(), 0);
  const ids = (await readTopic(services.brokers, topics[1])).map(({ value }) => JSON.parse(String(value)).id as number);
  assert.deepEqual(
    [...new Set(ids)].sort((a, b) => a - b),
    Array.from({ length: sent }, (_, id) => id),
  );
  assert.equal(ids.length, await inputs(), 'and none twice');
});
