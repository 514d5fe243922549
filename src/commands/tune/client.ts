import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { createKafkaSource } from '../../adapters/kafka/source.ts';
import { assemble } from '../../assemble.ts';
import { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelSession } from '../../ports/model.ts';
import type { Sink } from '../../ports/sink.ts';
import { encoderWithId, type PathDeps, type Samples, SCHEMA_ID, withoutLimits } from './path.ts';
import { createStatedStore } from './stub-ends.ts';

const PARTITIONS = 4;
const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 256 * 1024;
const MOST_RECORDS = 150_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** Only records between these shares are measured, to exclude start-up and the tail. */
const FROM = 0.3;
const TO = 0.95;
const UNDER_WAY = 3_000;
const GIVE_UP_MS = 60_000;
const ENTRY = fileURLToPath(new URL(`./broker-child${extname(import.meta.url)}`, import.meta.url));

/**
 * CPU per record of the whole path with the Kafka client on both ends, µs, without the model: drains a backlog from the embedded
 * broker, which runs in its own process, in full fetches and batches. Undefined if it did not finish.
 */
export async function driveKafka(
  plan: Plan,
  session: ModelSession,
  samples: Samples,
  deps: PathDeps & { readonly stop: () => boolean },
): Promise<number | undefined> {
  const { clock, random, cpuUs } = deps;
  const { source, output, deadLetter, flow, connections } = plan.topology;
  const stock = connections.kafka?.client === 'stock';
  const telemetry = deps.telemetry();
  const names = [...source.topics, output.topic, deadLetter.topic];
  const broker = await startBroker(names.map((name) => ({ name, partitions: PARTITIONS })));
  const connection = { brokers: broker.addresses, clientId: 'sluice-tune', debugProtocolBuffers: false, stock };
  try {
    const records = countOf(samples.values);
    await fill(createKafkaSink({ clock, telemetry, random }, connection), source.topics[0], samples.values, records);
    // Work in progress at a mark would distort the shares, so little of it is allowed.
    const credit = new Credit({ maxRecords: UNDER_WAY, maxBytes: flow.maxInFlight.bytes });
    const inner = createKafkaSink({ clock, telemetry, random }, connection);
    const marks: number[] = [];
    let settled = 0;
    let enough: () => void = () => undefined;
    const sink: Sink = {
      open: (topics) => inner.open(topics),
      partitionCount: (topic) => inner.partitionCount(topic),
      close: () => inner.close(),
      async send(topic, partition, rows) {
        const { count } = rows;
        await inner.send(topic, partition, rows);
        settled += count;
        if (marks.length === 0 && settled >= records * FROM) marks.push(settled, cpuUs());
        if (marks.length === 2 && settled >= records * TO) marks.push(settled, cpuUs());
        if (marks.length === 4 || deps.stop()) enough();
      },
    };
    await sink.open(names);
    const kafka = createKafkaSource(
      { clock, telemetry, credit, random, ownership: undefined },
      {
        ...connection,
        groupId: 'sluice-tune',
        topics: [source.topics[0]],
        from: 'earliest',
        sessionTimeoutMs: 30_000,
        drainMs: 5_000,
      },
    );
    const runner = assemble(withoutLimits(plan), {
      clock,
      random,
      telemetry,
      credit,
      source: kafka,
      schemas: { writerSchema: async () => source.value.schema, idFor: async () => SCHEMA_ID },
      store: createStatedStore(clock, samples.stated),
      session: { ...session, close: async () => undefined },
      encoder: encoderWithId(plan),
      sink,
      instance: 'tune',
    });
    enough = () => runner.stop();
    const timer = clock.after(GIVE_UP_MS, () => runner.abort());
    const outcome = await runner.run();
    timer.cancel();
    if (outcome.result === 'failed') throw outcome.error;
    const [from, startedUs, to, endedUs] = marks;
    return marks.length === 4 && to > from ? (endedUs - startedUs) / (to - from) : undefined;
  } finally {
    await broker.close();
  }
}

function countOf(values: readonly Buffer[]): number {
  const bytes = values.reduce((sum, value) => sum + value.length, 0) / values.length;
  return Math.max(2_000, Math.min(MOST_RECORDS, Math.floor(MOST_BYTES / Math.max(1, bytes))));
}

async function fill(sink: Sink, topic: string, values: readonly Buffer[], records: number): Promise<void> {
  await sink.open([topic]);
  const slab = new RecordSlab(CHUNK_RECORDS, CHUNK_BYTES);
  for (let sent = 0, turn = 0; sent < records; turn++) {
    slab.clear();
    while (sent < records && slab.count < CHUNK_RECORDS && (slab.count === 0 || slab.used < CHUNK_BYTES / 2))
      slab.append(1_700_000_000_000, null, values[sent++ % values.length], null);
    await sink.send(topic, turn % PARTITIONS, slab);
  }
  await sink.close();
}

async function startBroker(topics: readonly { readonly name: string; readonly partitions: number }[]) {
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(topics)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const said = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
  if (said === undefined) throw new SluiceError('unexpected', 'the embedded broker did not start');
  return {
    addresses: JSON.parse(String(said[0])) as readonly string[],
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
