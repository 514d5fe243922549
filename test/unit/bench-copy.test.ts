/** The contestant that copies: what the limit of a workload is reckoned from is a whole and true copy, committed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { CONTESTANTS } from '../../bench/harness/contestants.ts';
import { WORKLOADS } from '../../bench/workloads/workloads.ts';
import { createBroker } from '../../src/devstack/kafka/broker.ts';
import { quietKafka, readTopic } from '../fixtures/reader.ts';
import { until } from '../fixtures/until.ts';

test('the bare loop copies a topic record for record, commits what it has copied, and ends when it is told', {
  timeout: 60_000,
}, async (context) => {
  const broker = await createBroker({ log: () => undefined });
  context.after(() => broker.close());
  const brokers = broker.brokers.join(',');
  for (const topic of ['in', 'out']) broker.createTopic(topic, { partitions: 2 });
  const producer = quietKafka(brokers, 'load').producer();
  await producer.connect();
  for (const partition of [0, 1]) {
    const messages = Array.from({ length: 300 }, (_, n) => ({
      partition,
      key: n % 3 === 0 ? null : `k${n}`,
      value: n % 7 === 0 ? null : `${partition} ${n}`.repeat(1 + (n % 20)),
      headers: n % 5 === 0 ? { h: `${n}` } : undefined,
      timestamp: String(1_700_000_000_000 + n),
    }));
    await producer.send({ topic: 'in', messages });
  }
  await producer.disconnect();

  const contestant = CONTESTANTS.find(({ name }) => name === 'sluice-bare');
  assert.ok(contestant !== undefined);
  const workload = WORKLOADS.get('light');
  const job = { workload, brokers, input: 'in', output: 'out', group: 'copiers', records: 600 };
  const { file, args, env } = await contestant.command(job as unknown as Parameters<typeof contestant.command>[0]);
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  context.after(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'exit');
  await until('all is copied and committed', () => {
    assert.equal(child.exitCode, null, said);
    const { in: committed = {} } = broker.groupOffsets('copiers');
    return committed[0] === 300 && committed[1] === 300;
  });
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], said);
  const plain = async (topic: string) =>
    (await readTopic(brokers, topic))
      .map(({ partition, offset, timestampMs, key, value, headers }) => {
        const names = Object.entries(headers).map(([name, each]) => `${name}=${each}`);
        return [partition, offset, timestampMs, key?.toString() ?? null, value?.toString() ?? null, names.join()];
      })
      .sort(([p, o], [q, r]) => Number(p) - Number(q) || Number(o) - Number(r));
  const [copied, given] = [await plain('out'), await plain('in')];
  assert.equal(given.length, 600);
  assert.deepEqual(copied, given);
});
