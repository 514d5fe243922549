/** The real world of a plan, made on embedded services. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, type TestContext, test } from 'node:test';
import { createBigtableWriter } from '../../../../src/adapters/bigtable/writer.ts';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import { preparePlan } from '../../../../src/commands/prepare.ts';
import { createWorld } from '../../../../src/commands/world/world.ts';
import { createBigtable } from '../../../../src/devstack/bigtable.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import type { After } from '../../../../src/devstack/kafka/server.ts';
import { createRegistry } from '../../../../src/devstack/registry.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { Plan } from '../../../../src/plan/plan.ts';
import type { ModelRuntime } from '../../../../src/ports/model.ts';
import type { SourceListener } from '../../../../src/ports/source.ts';
import { Text } from '../../../fixtures/io.ts';
import { seeded } from '../../../fixtures/random.ts';
import { quietKafka } from '../../../fixtures/reader.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

const clock = createSystemClock();

function ioWith(env: Record<string, string>, load = 0) {
  const [stdout, stderr] = [new Text(), new Text()];
  return {
    env,
    clock,
    random: seeded(1),
    processorLoad: () => load,
    stdin: process.stdin,
    stdout,
    stderr,
    instance: 'test',
    onSignal: () => () => undefined,
  };
}

test('what was opened before a failure is closed again, and a close that fails is told', async (context) => {
  const bigtable = await createBigtable();
  context.after(() => bigtable.close());
  const registry = await createRegistry();
  context.after(() => registry.close());
  const broker = await createBroker({ log: () => undefined });
  context.after(() => broker.close());
  const telemetry = new RecordingTelemetry();
  const env = {
    BIGTABLE_EMULATOR_HOST: bigtable.host,
    SCHEMA_REGISTRY_URL: registry.url,
    KAFKA_BROKERS: broker.brokers.join(','),
  };
  const io = ioWith(env);
  const real = createOnnxRuntime({ telemetry });
  let models = 0;
  const runtime: ModelRuntime = {
    inspect: (file) => real.inspect(file),
    async load(options) {
      const session = await real.load(options);
      models++;
      return {
        ...session,
        async close() {
          models--;
          await session.close();
          throw new Error('it would not go');
        },
      };
    },
  };
  const plan = inline(await preparePlan('topologies/flight-delay.yaml', runtime, io));
  const writer = createBigtableWriter(
    { clock, telemetry, random: io.random },
    { project: 'dev', instance: 'dev', emulatorHost: bigtable.host },
  );
  for (const { table, views } of plan.reads)
    await writer.ensureTable(
      table,
      views.map(({ family }) => family),
    );
  await writer.close();

  const sockets = new Set<Socket>();
  const { connect } = Socket.prototype;
  const watching = mock.method(Socket.prototype, 'connect', function (this: Socket, ...args: never[]) {
    sockets.add(this);
    return Reflect.apply(connect, this, args);
  });
  context.after(() => watching.mock.restore());
  // All is there but the topics, which come last.
  await assert.rejects(createWorld(plan, runtime, telemetry, io), /topic ".*" does not exist/);
  assert.equal(models, 0);
  assert.ok(sockets.size > 2, 'the store and a broker were reached');
  await until('all connections are closed', () => [...sockets].every(({ destroyed }) => destroyed), 10_000);
  assert.deepEqual(telemetry.eventsNamed('close-failed'), [
    { step: 'model', reason: 'unexpected failure: it would not go' },
  ]);
});

const NOBODY: SourceListener = {
  onAssigned: () => undefined,
  onFrame: () => undefined,
  onAlone: async () => undefined,
  isHeld: () => false,
  onRevoking: async () => true,
  onRevoked: () => undefined,
  onEnd: () => undefined,
  onFailed: (error) => assert.fail(error),
};

for (const [latencyBudgetMs, load, fetchHoldMs] of [
  [50, 0, 4],
  [50, 0.9, 12],
  [5_000, 0.2, 10],
]) {
  test(`with a budget of ${latencyBudgetMs} ms and a load of ${load} the broker holds fetches for ${fetchHoldMs} ms`, async (context) => {
    const held: number[] = [];
    const after: After = (delayMs, fire) => {
      held.push(delayMs);
      const timer = setTimeout(fire, delayMs).unref();
      return { cancel: () => clearTimeout(timer) };
    };
    const { world, send, telemetry } = await hello(context, { after, latencyBudgetMs, load });
    assert.equal(telemetry.gauges.get('sluice_fetch_hold_seconds')?.(), fetchHoldMs / 1_000);
    await world.source.start(NOBODY);
    context.after(() => world.source.close());
    await until(
      'a fetch is held',
      async () => {
        await send();
        return held.includes(fetchHoldMs);
      },
      20_000,
    );
  });
}

interface Setting {
  readonly after: After;
  readonly latencyBudgetMs: number;
  readonly load: number;
}

async function hello(context: TestContext, { after, latencyBudgetMs, load }: Setting) {
  const broker = await createBroker({ log: () => undefined, after });
  context.after(() => broker.close());
  const telemetry = new RecordingTelemetry();
  const io = ioWith({ KAFKA_BROKERS: broker.brokers.join(',') }, load);
  const runtime = createOnnxRuntime({ telemetry });
  const prepared = inline(await preparePlan('topologies/hello.yaml', runtime, io));
  const { topology } = prepared;
  const plan = { ...prepared, topology: { ...topology, flow: { ...topology.flow, latencyBudgetMs } } };
  const [input] = topology.source.topics;
  for (const topic of [input, topology.output.topic, topology.deadLetter.topic]) broker.createTopic(topic);
  const world = await createWorld(plan, runtime, telemetry, io);
  context.after(() => Promise.all([world.sink.close(), world.store.close(), world.session.close()]));
  const producer = quietKafka(broker.brokers.join(','), 'load').producer();
  await producer.connect();
  context.after(() => producer.disconnect());
  const send = () => producer.send({ topic: input, messages: [{ value: '{}' }] });
  return { world, send, telemetry };
}

/** The model on this thread, wherever it would be placed. */
function inline(plan: Plan): Plan {
  const { topology } = plan;
  return { ...plan, topology: { ...topology, model: { ...topology.model, placement: 'inline' } } };
}
