import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { seeded } from '../../fixtures/random.ts';
import { Sluice } from '../../fixtures/sluice.ts';
import { until } from '../../fixtures/until.ts';
import { startLoad } from '../load.ts';
import type { Seen } from '../read.ts';
import { record } from '../report.ts';
import { openOnceBench } from './bench.ts';

const INSTANCES = 2;
const PARTITIONS = 4;
const PER_SECOND = 300;
/** One in this many events is one that no decoder accepts. */
const BROKEN_EVERY = 50;

/** Kills instances and makes one a zombie; readers of committed records then see every event once. */
export async function killAgainAndAgain(brokers: string, kills: number): Promise<void> {
  const bench = await openOnceBench(brokers, {
    name: 'once-kills',
    inputPartitions: PARTITIONS,
    outputPartitions: 3,
  });
  const random = seeded(8);
  const value = (id: number): Buffer =>
    Buffer.from(id % BROKEN_EVERY === 7 ? `{"id":${id},` : JSON.stringify({ id, departed_at: 0, distance: id % 3000 }));
  const load = startLoad({
    brokers: bench.brokers,
    topic: bench.input,
    partitions: PARTITIONS,
    perSecond: PER_SECOND,
    value,
  });
  const start = (): Sluice => new Sluice(['run', bench.file, '--json', '--listen', '127.0.0.1:0'], {});
  const instances = Array.from({ length: INSTANCES }, start);
  const stalls: number[] = [];
  try {
    /** Resolves when every partition was committed beyond where it was. */
    const progress = async (): Promise<void> => {
      const before = await bench.committed();
      await until('every partition goes on', async () => (await bench.committed()).every((at, p) => at > before[p]));
    };
    await progress();
    for (let kill = 0; kill < kills; kill++) {
      // Anywhere between two transactions or within one.
      await pause(100 + random() * 400);
      const which = Math.floor(random() * INSTANCES);
      const killedMs = performance.now();
      instances[which].signal('SIGKILL');
      await instances[which].ended;
      instances[which] = start();
      await progress();
      stalls.push(Math.round(performance.now() - killedMs));
    }
    // A zombie: its partitions are taken over meanwhile, and what it holds in its hands is not to be seen. One that is only
    // starting holds none.
    await instances[0].ready();
    process.kill(instances[0].pid, 'SIGSTOP');
    await progress();
    process.kill(instances[0].pid, 'SIGCONT');
    await progress();

    const sent = await load.stop();
    const ends = Array.from({ length: PARTITIONS }, (_, p) => Math.ceil((sent - p) / PARTITIONS));
    // An event that upstream had to send twice is two inputs.
    await until('everything is committed', async () => (await bench.committed()).every((at, p) => at >= ends[p]));
    // Before it has begun a process knows no signals.
    for (const instance of instances) await instance.ready();
    for (const instance of instances) assert.equal(await instance.stop(), 0, instance.stderr.slice(-2_000));

    const outputs = await bench.outputs();
    const dead = await bench.deadLetters();
    const sources = [
      ...outputs.map((each) => headerOf(each, 'sluice-source')),
      ...dead.map((each) =>
        ['topic', 'partition', 'offset'].map((part) => headerOf(each, `__dlq.errors.${part}`)).join('/'),
      ),
    ];
    const committed = await bench.committed();
    const expected = committed.flatMap((end, p) => Array.from({ length: end }, (_, at) => `${bench.input}/${p}/${at}`));
    const duplicates = sources.length - new Set(sources).size;
    record({
      rows: [1, 4, 8],
      test: 'exactly once under kills',
      faults: { SIGKILL: kills, SIGSTOP: 1 },
      invariants: ['I1', 'I2', 'I3'],
      duplicates,
      recoveryMs: stalls,
    });
    assert.deepEqual(sources.toSorted(), expected.toSorted());
    const ids = [...outputs.map(({ key }) => Number(key)), ...dead.map(({ key }) => Number(key))];
    assert.equal(new Set(ids).size, sent, 'every event is there');
    assert.equal(dead.length, ids.filter((id) => id % BROKEN_EVERY === 7).length);
    assert.deepEqual(await bench.unstable(), [], 'the last stable offset reaches the end everywhere');
  } finally {
    for (const instance of instances) instance.signal('SIGKILL');
    await load.stop().catch(() => undefined);
    await bench.close();
  }
}

/** Upstream aborts transactions that overlap: what it aborted is not read. */
export async function overlapUpstream(brokers: string): Promise<void> {
  const bench = await openOnceBench(brokers, {
    name: 'once-upstream',
    inputPartitions: 1,
    outputPartitions: 1,
  });
  const kafka = new Kafka({ brokers: bench.brokers.split(','), logLevel: logLevel.NOTHING });
  const producers = ['a', 'b'].map((id) =>
    kafka.producer({ transactionalId: `upstream-${id}`, idempotent: true, maxInFlightRequests: 1 }),
  );
  let instance: Sluice | undefined;
  try {
    for (const producer of producers) await producer.connect();
    let id = 0;
    const kept: number[] = [];
    /** Both write, then end in the other order: brokers name what was aborted in the order of the ends. */
    const overlap = async (fates: readonly ('abort' | 'commit')[]): Promise<void> => {
      const open = await Promise.all(producers.map((producer) => producer.transaction()));
      for (let round = 0; round < 3; round++) {
        for (const [n, transaction] of open.entries()) {
          const value = JSON.stringify({ id, departed_at: 0, distance: 100 });
          await transaction.send({ topic: bench.input, messages: [{ partition: 0, key: String(id), value }] });
          if (fates[n] === 'commit') kept.push(id);
          id++;
        }
      }
      for (const n of [1, 0]) await open[n][fates[n]]();
    };
    await overlap(['abort', 'abort']);
    await overlap(['commit', 'abort']);
    await overlap(['abort', 'commit']);
    await overlap(['abort', 'abort']);
    await overlap(['commit', 'commit']);
    instance = new Sluice(['run', bench.file, '--json', '--listen', '127.0.0.1:0'], {});
    await instance.until('the input is committed to its end', async () => (await bench.committed())[0] >= id + 10);
    assert.equal(await instance.stop(), 0);
    assert.deepEqual(
      (await bench.outputs()).map(({ key }) => Number(key)).sort((a, b) => a - b),
      kept.toSorted((a, b) => a - b),
    );
  } finally {
    instance?.signal('SIGKILL');
    for (const producer of producers) await producer.disconnect();
    await bench.close();
  }
}

function headerOf(record: Seen, name: string): string {
  return String(record.headers[name] ?? '');
}
