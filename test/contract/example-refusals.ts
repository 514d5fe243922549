import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, test } from 'node:test';
import { type Env, sluice } from '../fixtures/sluice.ts';
import type { ExampleBench } from './example-bench.ts';

interface Refusal {
  /** Also the name of topics and group. */
  readonly name: string;
  readonly code: 1 | 2;
  /** The message must contain all of these. */
  readonly says: readonly RegExp[];
  readonly edit?: (yaml: string) => string;
  readonly env?: Env;
  /** Topics that are not there, by the ends of their names. */
  readonly lacks?: readonly string[];
}

/** Nothing listens there: port 1 is for a service that nobody runs. */
const NOWHERE = '127.0.0.1:1';

const REFUSALS: readonly Refusal[] = [
  {
    name: 'no-input-topic',
    code: 1,
    lacks: ['departed'],
    says: [/topic "no-input-topic\.departed" does not exist/, /--create --topic no-input-topic\.departed/],
  },
  {
    name: 'no-output-topic',
    code: 1,
    lacks: ['delay-risk'],
    says: [/topic "no-output-topic\.delay-risk" does not exist/, /--create --topic no-output-topic\.delay-risk/],
  },
  {
    name: 'no-dead-letter-topic',
    code: 1,
    lacks: ['dead-letter'],
    says: [/topic "no-dead-letter-topic\.dead-letter" does not exist/, /--create --topic/],
  },
  {
    name: 'no-table',
    code: 1,
    env: { BIGTABLE_INSTANCE: 'another' },
    says: [/no table "(airport|route)"/, /features load/],
  },
  {
    name: 'broker-down',
    code: 1,
    env: { KAFKA_BROKERS: NOWHERE },
    says: [/127\.0\.0\.1:1 could be reached/, /check the addresses, that the cluster runs/],
  },
  {
    name: 'misspelt-key',
    code: 2,
    edit: (yaml) => yaml.replace('maxBatch: 256', 'maxBatches: 256'),
    says: [/misspelt-key\.yaml:\d+:\d+/, /maxBatches/, /maxBatch\b/],
  },
  {
    name: 'wrong-unit',
    code: 2,
    edit: (yaml) => yaml.replace('latencyBudget: 50ms', 'latencyBudget: 50'),
    says: [/wrong-unit\.yaml:\d+:\d+/, /latencyBudget/, /50ms|unit/],
  },
  {
    name: 'unknown-prediction',
    code: 2,
    edit: (yaml) => yaml.replace('prediction.probability', 'prediction.chance'),
    says: [/unknown-prediction\.yaml:\d+:\d+/, /chance/, /probability/],
  },
  {
    name: 'unread-column',
    code: 2,
    edit: (yaml) => yaml.replace('columns: [late_share, mean_delay, per_day]', 'columns: [late_share, mean_delay]'),
    says: [/bundle\.yaml:\d+:\d+/, /per_day/],
  },
];

/** A run that cannot start says so before it touches a record: what is wrong, by name, and what to do. */
export function exampleRefusals(name: string, bench: () => Promise<ExampleBench>): void {
  describe(`${name}: what cannot run`, { concurrency: 2 }, () => {
    for (const refusal of [...REFUSALS].sort(
      (a, b) => Number(b.name === 'broker-down') - Number(a.name === 'broker-down'),
    )) {
      const { code, says, edit, env = {}, lacks = [] } = refusal;
      test(`${refusal.name}: exit ${code}, the thing and the remedy named`, async () => {
        const { variant, stack, ends } = await bench();
        const { file, ...topics } = variant(refusal.name, edit);
        const there = Object.values(topics).filter((topic) => !lacks.some((end) => topic.endsWith(end)));
        for (const topic of there) await stack.createTopic(topic, 1);
        const result = await sluice(['run', file, '--no-listen'], { ...stack.env, ...env });
        assert.equal(result.code, code, result.stderr);
        for (const text of says) assert.match(said(result.stderr), text);
        assert.doesNotMatch(result.stderr, /\n\s+at .*\(/, 'no stack trace: it is not a defect of the program');
        assert.equal(result.stdout, '');
        for (const topic of there) assert.deepEqual(await ends(topic), [0]);
      });
    }

    test('a port that is taken: exit 1', async () => {
      const { variant, createTopics, stack } = await bench();
      const topology = variant('port-taken');
      await createTopics(topology, 1);
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const { code, stderr } = await sluice(['run', topology.file, '--listen', `127.0.0.1:${port}`], stack.env);
      server.close();
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`port ${port} on 127.0.0.1 is in use`));
      assert.match(stderr, /--listen/);
    });

    test('a registry that is down: exit 1', async () => {
      const { variant, createTopics, stack } = await bench();
      const topology = variant('registry-down');
      await createTopics(topology, 1);
      const closed = createTcpServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => closed.once('listening', resolve));
      const { port } = closed.address() as AddressInfo;
      await new Promise((resolve) => closed.close(resolve));
      const env = { ...stack.env, SCHEMA_REGISTRY_URL: `http://127.0.0.1:${port}` };
      const { code, stderr } = await sluice(['run', topology.file, '--no-listen'], env);
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`127.0.0.1:${port}`));
    });

    test('a signal while the brokers do not answer: exit 0, nothing was started', async () => {
      const { variant, run } = await bench();
      const child = run(variant('impatient').file, { KAFKA_BROKERS: NOWHERE });
      const waiting = await child.until('/ready answers', () => child.health());
      assert.equal(waiting.status, 503);
      assert.match(waiting.reason, /connecting/);
      assert.equal((await child.health('/live')).status, 200);
      assert.equal(await child.stop(), 0, child.stderr);
    });

    test('--dry checks and connects, joins no group, takes no record, and ends with 0', async () => {
      const { variant, createTopics, upstream, stack, ends, committed } = await bench();
      const topology = variant('dry');
      await createTopics(topology, 1);
      const producer = await upstream(topology.input);
      await producer.send([producer.message({ id: 1, departed_at: 0, origin: null, destination: null, distance: 1 })]);
      const { code, stderr } = await sluice(['run', topology.file, '--dry', '--json'], stack.env);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /"result":"done"/);
      assert.doesNotMatch(stderr, /joined the group/);
      assert.deepEqual(await ends(topology.output), [0]);
      assert.deepEqual(await committed('dry', topology.input), [-1]);
    });
  });
}

/** What people read: log lines carry the message as JSON, with its quotes escaped. */
function said(stderr: string): string {
  return stderr.replaceAll('\\"', '"');
}
