/**
 * What both kafkajs peers share: the job from the environment, decoding and encoding with avsc, rows for the model.
 * Written as a careful user of off-the-shelf libraries would: types compiled once, one tensor a run, one thread.
 */
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Consumer, type IHeaders, Kafka, type KafkaMessage, logLevel, type Message, type Producer } from 'kafkajs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const env = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: these programs are started by bench/run.ts`);
  return value;
};

export const job = {
  input: env('BENCH_INPUT'),
  output: env('BENCH_OUTPUT'),
  batch: Number(env('BENCH_BATCH')),
};

const codec = env('BENCH_CODEC');
const width = Number(env('BENCH_WIDTH'));
const shape = env('BENCH_SHAPE').split(',').map(Number);
const folder = `bench/workloads/${codec === 'light' ? 'light' : 'vectors'}`;
const read = (file: string) => avsc.Type.forSchema(JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')));
const inputType = read(codec === 'light' ? 'sensor-reading.avsc' : 'vector.avsc');
const outputType = read(codec === 'light' ? 'sensor-score.avsc' : 'scores.avsc');
const PREFIX = Buffer.from([0, 0, 0, 0, 2]);
const MODEL = Buffer.from('bench@1#0123456789ab');
const DAY_MS = 86_400_000;

export interface Reading {
  readonly temperature: number;
  readonly humidity: number;
  readonly pressure: number;
  readonly vibration_x: number;
  readonly vibration_y: number;
  readonly vibration_z: number;
  readonly voltage: number;
  readonly current: number;
  readonly rpm: number;
  readonly flow: number;
  readonly load: number;
  readonly noise: number;
}

export type Event = { readonly id: string; readonly device: string; readonly at: number } & Reading & {
    readonly values: readonly number[];
  };

export function decode(value: Buffer): Event {
  return codec === 'json' ? JSON.parse(value.toString()) : inputType.fromBuffer(value.subarray(5));
}

export function fill(rows: Float32Array, row: number, event: Event): void {
  if (codec !== 'light') {
    rows.set(event.values, row * width);
    return;
  }
  let at = row * width;
  rows[at++] = event.temperature;
  rows[at++] = event.humidity;
  rows[at++] = event.pressure;
  rows[at++] = event.vibration_x;
  rows[at++] = event.vibration_y;
  rows[at++] = event.vibration_z;
  rows[at++] = event.voltage;
  rows[at++] = event.current;
  rows[at++] = event.rpm;
  rows[at++] = event.flow;
  rows[at++] = event.load;
  rows[at++] = event.noise;
  rows[at++] = (event.at % DAY_MS) / DAY_MS;
  rows[at++] = (event.voltage * event.current) / 1000;
  rows[at++] = event.vibration_x ** 2 + event.vibration_y ** 2 + event.vibration_z ** 2;
  rows[at] = event.load - event.rpm / 3000;
}

export function rowsFor(count: number): Float32Array {
  return new Float32Array(count * width);
}

export async function loadModel(): Promise<(rows: Float32Array, count: number) => Promise<Float32Array>> {
  const session = await InferenceSession.create(env('BENCH_MODEL'), { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const [input] = session.inputNames;
  const output = env('BENCH_OUTPUT_NAME');
  return async (rows, count) => {
    const tensor = new Tensor('float32', rows.subarray(0, count * width), [count, ...shape]);
    return (await session.run({ [input]: tensor }, [output]))[output].data as Float32Array;
  };
}

/** The prediction of one event, as the message to produce. */
export function answer(event: Event, source: KafkaMessage, partition: number, scores: Float32Array): Message {
  const headers: IHeaders = { 'sluice-source': `${job.input}/${partition}/${source.offset}`, 'sluice-model': MODEL };
  if (codec === 'light') {
    const body = outputType.toBuffer({ device: event.device, at: event.at, score: scores[0] });
    return { key: source.key, value: Buffer.concat([PREFIX, body]), headers };
  }
  const prediction = { id: event.id, at: event.at, scores: Array.from(scores) };
  const value =
    codec === 'json'
      ? Buffer.from(JSON.stringify(prediction))
      : Buffer.concat([PREFIX, outputType.toBuffer(prediction)]);
  return { key: source.key, value, headers };
}

export async function clients(): Promise<{ consumer: Consumer; producer: Producer }> {
  const kafka = new Kafka({ brokers: env('BENCH_BROKERS').split(','), clientId: 'peer', logLevel: logLevel.ERROR });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5 });
  const consumer = kafka.consumer({ groupId: env('BENCH_GROUP'), maxBytes: 4 << 20, maxBytesPerPartition: 1 << 20 });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [job.input], fromBeginning: true });
  process.once('SIGTERM', () => {
    void Promise.all([consumer.disconnect(), producer.disconnect()]).finally(() => process.exit(0));
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    process.stderr.write(`${payload.error.stack}\n`);
    process.exit(1);
  });
  return { consumer, producer };
}
