/** The bound on memory that Sluice prints (P4), at its limit: an output that accepts nothing, and more input than fits. Row 20, I7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { quietKafka } from '../../fixtures/reader.ts';
import { Sluice } from '../../fixtures/sluice.ts';
import { audit } from '../ledger.ts';
import { record } from '../report.ts';
import { memoryBoundMiB, sample } from '../sampling.ts';
import { flights, startHello } from './hello.ts';

const LONG = process.env.SLUICE_FAULTS_MINUTES !== undefined;
const LARGE = LONG ? 100 : 40;
const LARGE_BYTES = 900_000;
const SMALL = LONG ? 100_000 : 30_000;
const CAP = { records: 20_000, bytes: 16 * 2 ** 20 };
const BLOCKED_MS = 3_000;
const PRODUCE = 0;
const NOT_ENOUGH_REPLICAS = 19;

test('row 20: with records of a megabyte, a backlog and an output that takes nothing, memory stays below the printed bound', {
  timeout: 5 * 60_000,
}, async (context) => {
  let blocked = true;
  const onRequest = ({ apiKey, clientId }: RequestInfo) =>
    blocked && apiKey === PRODUCE && clientId !== 'load' ? { errorCode: NOT_ENOUGH_REPLICAS } : undefined;
  // A session of a second ends on a machine that has other things to do.
  const settings = { partitions: 3, maxInFlight: CAP.records, sessionTimeout: '30s' };
  const hello = await startHello(context, { ...settings, hooks: { onRequest } });
  const { watched, broker } = hello;
  const sum = (topic: string): number => broker.endOffsets(topic).reduce((a, b) => a + b, 0);
  const producer = quietKafka(watched.brokers, 'load').producer({ createPartitioner: () => () => 0 });
  await producer.connect();
  const large = async (): Promise<void> => {
    for (let n = 0; n < LARGE; n++) {
      const value = JSON.stringify({
        id: n,
        departed_at: 1,
        origin: 'x'.repeat(LARGE_BYTES),
        destination: 'PDX',
        distance: 1,
      });
      await producer.send({ topic: watched.inputs[0], messages: [{ key: String(n), value }] });
    }
  };
  await large();
  await hello.produce(flights(SMALL));
  await large();
  await producer.disconnect();

  const sluice = new Sluice(['run', hello.file, '--json', '--listen', '127.0.0.1:0'], hello.env);
  context.after(() => sluice.signal('SIGKILL'));
  const boundMiB = await memoryBoundMiB(sluice);
  await sluice.until('it listens', async () => sluice.url());
  const sampling = sample(sluice);
  await sluice.until('the credit is used up', async () => {
    const bytes = await sluice.metric('sluice_inflight_bytes');
    return bytes > CAP.bytes * 0.8 || (await sluice.metric('sluice_inflight_records')) > CAP.records * 0.8;
  });
  await sluice.until('the output is seen to take nothing', async () => {
    const { status, reason } = await sluice.health();
    return status === 503 && reason.includes(watched.output);
  });
  await pause(BLOCKED_MS);
  assert.equal(sum(watched.output) + sum(watched.deadLetter), 0);
  blocked = false;
  const all = SMALL + 2 * LARGE;
  await sluice.until('everything is settled', () => sum(watched.output) === all);
  await sampling.stop();
  assert.equal(await sluice.stop(), 0);
  const { samples } = sampling;
  context.diagnostic(JSON.stringify({ boundMiB, samples }));
  assert.ok(samples.inFlightRecords <= CAP.records && samples.inFlightBytes <= CAP.bytes, JSON.stringify(samples));
  assert.ok(samples.rssMiB <= boundMiB * 1.1, `${samples.rssMiB} MiB, the bound is ${boundMiB}`);
  const account = await audit(watched, { inputs: 'contiguous' });
  assert.deepEqual(account.violations, []);
  record({ rows: [20], test: 'memory at its bound', faults: { blockedOutput: 1 }, invariants: ['I1', 'I2', 'I7'] });
});
