import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sluice } from '../../fixtures/sluice.ts';
import { until } from '../../fixtures/until.ts';
import { startLoad } from '../load.ts';
import { openOnceBench } from '../once/bench.ts';
import { record } from '../report.ts';
import { type KafkaCluster, startCluster } from './kafka-cluster.ts';

const PARTITIONS = 3;
const ROUNDS = 2;
/** Of `__transaction_state`, as services/kafka.sh sets them. */
const STATE_PARTITIONS = 8;

let cluster: KafkaCluster;
before(async () => {
  cluster = await startCluster();
});
after(async () => {
  await cluster?.stop();
});

test('rows 5 and 8: the transaction coordinator dies, twice, and every event is seen once', async () => {
  const bench = await openOnceBench(cluster.brokers, {
    name: 'once-coordinator',
    inputPartitions: PARTITIONS,
    outputPartitions: 2,
  });
  const load = startLoad({
    brokers: bench.brokers,
    topic: bench.input,
    partitions: PARTITIONS,
    perSecond: 150,
    value: (id) => Buffer.from(JSON.stringify({ id, departed_at: 0, distance: id % 3000 })),
  });
  const instance = new Sluice(['run', bench.file, '--json', '--listen', '127.0.0.1:0'], {});
  const recoveries: number[] = [];
  try {
    const progress = async (): Promise<void> => {
      const before = await bench.committed();
      await instance.until('every partition goes on', async () =>
        (await bench.committed()).every((at, partition) => at > before[partition]),
      );
    };
    await progress();
    for (let round = 0; round < ROUNDS; round++) {
      const id = `${bench.group}-${bench.input}-${round % PARTITIONS}`;
      const node = (await cluster.leaders('__transaction_state'))[Math.abs(javaHash(id)) % STATE_PARTITIONS];
      const killedMs = performance.now();
      await cluster.kill(node);
      await progress();
      recoveries.push(Math.round(performance.now() - killedMs));
      await cluster.boot(node);
      for (const topic of [bench.input, bench.output, '__transaction_state', '__consumer_offsets']) {
        await cluster.inSync(topic);
      }
    }
    await load.stop();
    // Events that upstream sent twice are two inputs: what is there is what counts.
    const ends = await cluster.ask('the ends of the input', async (admin) => {
      const found = await admin.fetchTopicOffsets(bench.input);
      return found.toSorted((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
    });
    await until('everything is committed', async () => (await bench.committed()).every((at, p) => at >= ends[p]));
    assert.equal(await instance.stop(), 0, instance.stderr.slice(-2_000));
    const sources = (await bench.outputs()).map(({ headers }) => String(headers['sluice-source']));
    const expected = ends.flatMap((end, p) => Array.from({ length: end }, (_, at) => `${bench.input}/${p}/${at}`));
    record({
      rows: [5, 8],
      test: 'the transaction coordinator dies',
      faults: { 'broker SIGKILL': ROUNDS },
      invariants: ['I1', 'I2', 'I3'],
      duplicates: sources.length - new Set(sources).size,
      recoveryMs: recoveries,
    });
    assert.deepEqual(sources.toSorted(), expected.toSorted());
    assert.deepEqual(await bench.deadLetters(), []);
    await until('the last stable offset reaches the end', async () => (await bench.unstable()).length === 0);
  } finally {
    instance.signal('SIGKILL');
    await load.stop().catch(() => undefined);
    await bench.close();
  }
});

/** String.hashCode of Java, which chooses the partition that the state of a transactional id is kept in. */
function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}
