import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quietKafka } from '../fixtures/reader.ts';
import { createRoad } from '../fixtures/road.ts';
import { type ExampleBench, flights } from './example-bench.ts';

/** DESIGN §5: dashboards and alerts are made from these. */
const METRICS = [
  'sluice_records_total',
  'sluice_dead_letters_total',
  'sluice_lag_records',
  'sluice_lag_seconds',
  'sluice_lag_drain_seconds',
  'sluice_partition_still_seconds',
  'sluice_waiting',
  'sluice_inflight_records',
  'sluice_inflight_bytes',
  'sluice_batch_rows',
  'sluice_stage_seconds',
  'sluice_record_age_seconds',
  'sluice_residence_seconds',
  'sluice_cache_requests_total',
  'sluice_feature_age_seconds',
  'sluice_retries_total',
  'sluice_pauses_total',
  'sluice_rebalances_total',
  'sluice_duplicates_possible_total',
  'sluice_model_device',
  'sluice_model_info',
  'sluice_event_loop_delay_seconds',
  'sluice_stage_busy_ratio',
] as const;

/** Of these, series with values must be there once records went through. */
const WITH_VALUES: readonly (readonly [name: string, labels: Readonly<Record<string, string>>])[] = [
  ['sluice_lag_records', { topic: 'health.departed', partition: '0' }],
  ['sluice_lag_seconds', { topic: 'health.departed', partition: '1' }],
  ['sluice_lag_drain_seconds', { topic: 'health.departed', partition: '0' }],
  ['sluice_partition_still_seconds', { topic: 'health.departed', partition: '1' }],
  ['sluice_batch_rows_count', {}],
  ['sluice_stage_seconds_count', { stage: 'infer' }],
  ['sluice_record_age_seconds_count', {}],
  ['sluice_residence_seconds_count', {}],
  ['sluice_cache_requests_total', { result: 'hit' }],
  ['sluice_feature_age_seconds_count', { view: 'slots' }],
  ['sluice_model_device', { device: 'cpu' }],
  ['sluice_model_info', { model: 'flight-delay', version: '1' }],
  ['sluice_event_loop_delay_seconds_count', {}],
];

/** Health shows what the pipeline waits for; metrics show what it did. */
export function exampleHealth(name: string, bench: () => Promise<ExampleBench>): void {
  describe(`${name}: health and metrics`, () => {
    test('not ready while joining, ready when joined, not ready while the store is out and while draining', async () => {
      const { variant, createTopics, upstream, run, answered, ends, committed, stack } = await bench();
      const topology = variant('health');
      await createTopics(topology, 2);
      const producer = await upstream(topology.input);
      const events = flights('examples/flight-delay/events-500.jsonl');
      await producer.send(events.slice(0, 1).map(producer.message));

      const holder = await holdGroup(stack.env.KAFKA_BROKERS, 'health', topology.input);
      const road = await createRoad(stack.env.BIGTABLE_EMULATOR_HOST);
      try {
        const child = run(topology.file, { BIGTABLE_EMULATOR_HOST: road.host });
        const starting = await child.until('it says that it joins', async () => {
          const health = await child.health();
          assert.equal(health.status, 503);
          return /joining group health/.test(health.reason) && health;
        });
        assert.match(starting.reason, /starting/);
        assert.equal((await child.health('/live')).status, 200);
        await holder.release();
        await child.ready();
        assert.equal((await child.health()).reason, '');

        await producer.send(events.slice(1).map(producer.message));
        await answered(child, topology, events.length);
        await child.until('lag is 0', async () => (await child.metric('sluice_lag_records')) === 0);
        await child.until('nothing is in flight', async () => (await child.metric('sluice_inflight_records')) === 0);
        for (const [metric, labels] of WITH_VALUES) {
          const value = await child.metric(metric, labels);
          assert.ok(value >= 0, `${metric} ${JSON.stringify(labels)} is ${value}`);
        }
        await child.until('no partition stands still', async () => (await stillest(child)) === 0);
        assert.equal(await child.metric('sluice_waiting', { what: 'store' }), 0);
        assert.equal(await child.metric('sluice_records_total', { fate: 'published' }), events.length);
        assert.equal(await child.metric('sluice_batch_rows_sum'), events.length);
        assert.equal(await child.metric('sluice_residence_seconds_count'), events.length);

        road.block();
        const unheard = events.slice(0, 50).map((flight, i) => ({ ...flight, id: -1 - i, origin: `Z${i}` }));
        await producer.send(unheard.map(producer.message));
        const waiting = await child.until('the store is missed', async () => {
          const health = await child.health();
          return health.status === 503 && health;
        });
        assert.match(waiting.reason, /airport|route/);
        assert.equal((await child.health('/live')).status, 200, 'a restart would not help');
        await child.until('it is told what is waited for, and that partitions stand still', async () => {
          return (await child.metric('sluice_waiting', { what: 'store' })) === 1 && (await stillest(child)) > 0;
        });
        const page = await child.until('the retries are counted', async () => {
          const text = await child.metrics();
          return text.includes('\nsluice_retries_total{') && text;
        });
        const named = new Set(
          [...page.matchAll(/^# TYPE (\S+) (?:counter|gauge|histogram)$/gm)].map(([, each]) => each),
        );
        assert.deepEqual(
          METRICS.filter((metric) => !named.has(metric)),
          [],
        );
        assert.doesNotMatch(page, / summary$/m);
        child.signal('SIGTERM');
        const draining = await child.until('draining is said', async () => {
          const health = await child.health();
          return /draining/.test(health.reason) && health;
        });
        assert.equal(draining.status, 503);
        assert.equal(
          (await ends(topology.output)).reduce((sum, end) => sum + end),
          events.length,
        );
        road.open();
        assert.equal(await child.ended, 0);
        const inputs = await ends(topology.input);
        assert.equal(
          (await ends(topology.output)).reduce((sum, end) => sum + end),
          events.length + unheard.length,
        );
        assert.deepEqual(await ends(topology.deadLetter), [0, 0], 'an outage dead-letters nothing');
        assert.deepEqual(await committed('health', topology.input), inputs);
      } finally {
        await holder.release();
        await road.close();
      }
    });
  });
}

/** How long the longest waiting partition has waited. */
async function stillest(child: ReturnType<ExampleBench['run']>): Promise<number> {
  const of = (partition: string): Promise<number> => child.metric('sluice_partition_still_seconds', { partition });
  return Math.max(await of('0'), await of('1'));
}

/** A member that is busy with its first record, so that nobody joins the group before `release`. */
async function holdGroup(brokers: string, groupId: string, topic: string): Promise<{ release(): Promise<void> }> {
  const consumer = quietKafka(brokers, 'holder').consumer({ groupId, maxWaitTimeInMs: 100 });
  const held = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  consumer.on(consumer.events.CRASH, ({ payload }) => busy.reject(payload.error));
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async () => {
      busy.resolve();
      await held.promise;
    },
  });
  await busy.promise;
  return {
    async release() {
      held.resolve();
      await consumer.disconnect();
    },
  };
}
