import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { createBigtableStore } from '../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import type { ViewSpec } from '../../src/kernel/cells/views.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { startServices } from './services.ts';

test('Kafka and the Bigtable emulator serve after start and are gone after stop', { timeout: 900_000 }, async () => {
  const services = await startServices();
  try {
    const kafka = new Kafka({ brokers: services.brokers.split(','), logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'hello', numPartitions: 2 }] });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'hello', messages: [{ partition: 1, value: 'a' }] });
    const offsets = await admin.fetchTopicOffsets('hello');
    assert.deepEqual(offsets.map(({ partition, high }) => [partition, high]).sort(), [
      [0, '0'],
      [1, '1'],
    ]);
    await producer.disconnect();
    await admin.disconnect();

    const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
    const where = { project: 'dev', instance: 'dev', emulatorHost: services.bigtableEmulatorHost };
    const [writer, store] = [createBigtableWriter(deps, where), createBigtableStore(deps, where)];
    const column = { name: 'c', kind: 'number', width: 1, offset: 0 } as const;
    const views: ViewSpec[] = [{ name: 'v', family: 'f', columns: [column] }];
    const rows = { table: 'hello', layout: 'packed', views, rowWidth: 1, keys: [Buffer.from('k')] } as const;
    await writer.ensureTable('hello', ['f']);
    await writer.write({ ...rows, values: Float64Array.of(7), present: Uint8Array.of(1), timestampMs: 1_000 });
    await store.open(['hello']);
    const into = { values: Float64Array.of(Number.NaN), writtenAtMs: Float64Array.of(Number.NaN) };
    await store.read({ ...rows, into, timeoutMs: 20_000 });
    assert.deepEqual([...into.values, ...into.writtenAtMs], [7, 1_000]);
    await store.close();
    await writer.close();
  } finally {
    await services.stop();
  }
  for (const address of [services.brokers, services.bigtableEmulatorHost]) {
    await refused(address);
  }
});

test('services of a process that is killed stop by themselves', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-killed-'));
  const url = new URL('./services.ts', import.meta.url).href;
  const code = `const { startServices } = await import(${JSON.stringify(url)});
    const { brokers } = await startServices(); console.log(brokers); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, TMPDIR: dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  const address = String(line).trim();
  child.kill('SIGKILL');
  await refused(address);
  await emptied(dir);
  await rm(dir, { recursive: true });
});

/** Resolves when nobody listens there: as long as somebody does, a connection opens, and ends with the listener. */
async function refused(address: string) {
  for (;;) {
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1').resume();
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      socket.once('error', resolve).once('close', () => resolve(undefined));
    });
    if (error?.code === 'ECONNREFUSED') return;
  }
}

/** Resolves when nothing is left in the folder. */
async function emptied(dir: string) {
  const watcher = watch(dir);
  for (let change = once(watcher, 'change'); (await readdir(dir)).length > 0; change = once(watcher, 'change'))
    await change;
  watcher.close();
}
