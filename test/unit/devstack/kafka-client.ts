/** The two ways the tests talk to the embedded broker: kafkajs as a client, and kafkajs's wire codecs one call at a time. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { Kafka, logLevel, Partitioners, type Producer, type ProducerConfig } from 'kafkajs';
import { type BrokerOptions, createBroker, type EmbeddedBroker } from '../../../src/devstack/kafka/broker.ts';
import type { RequestInfo } from '../../../src/devstack/kafka/server.ts';

const require = createRequire(import.meta.url);

/** Runs `body` with a broker and kafkajs on it, and closes whatever was opened, last first. */
export async function withBroker(options: BrokerOptions, body: (stack: Stack) => Promise<void>): Promise<void> {
  const lines: string[] = [];
  const broker = await createBroker({ log: (line) => lines.push(line), ...options });
  const closers: (() => Promise<unknown>)[] = [() => broker.close()];
  const kafka = new Kafka({ clientId: 'test', brokers: broker.brokers, logLevel: logLevel.NOTHING });
  try {
    await body({ broker, kafka, lines, onEnd: (close) => void closers.push(close) });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
export type Stack = {
  readonly broker: EmbeddedBroker;
  readonly kafka: Kafka;
  /** What the broker logged. */
  readonly lines: string[];
  readonly onEnd: (close: () => Promise<unknown>) => void;
};

export async function producerOf({ kafka, onEnd }: Stack, config: ProducerConfig = {}): Promise<Producer> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config });
  await producer.connect();
  onEnd(() => producer.disconnect());
  return producer;
}

/** Runs a consumer that commits nothing by itself and hands over `partition:offset:value`. */
export async function consume(stack: Stack, groupId: string, topic: string, onMessage: (text: string) => void) {
  const consumer = stack.kafka.consumer({ groupId, heartbeatInterval: 20, maxWaitTimeInMs: 50 });
  await consumer.connect();
  stack.onEnd(() => consumer.disconnect());
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise<Record<string, number[]>>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => resolve(payload.memberAssignment));
  });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => onMessage(`${partition}:${message.offset}:${message.value}`),
  });
  return { consumer, joined };
}

/** A promise and the function that fulfils it. */
export function gate<T = void>(): { readonly opened: Promise<T>; readonly open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { opened: promise, open: resolve };
}

/** Hooks for a broker, and the moment it has got the first call of this kind. */
export function watchFor(wanted: number) {
  const { opened, open } = gate();
  const onRequest = ({ apiKey }: RequestInfo): undefined => {
    if (apiKey === wanted) open();
  };
  return { seen: opened, hooks: { onRequest } };
}

export type Wire = {
  /** Sends a call by the name and version of its kafkajs codec, answers with the decoded response, errors inside it. */
  call(name: string, version: number, fields: object): Promise<Decoded>;
  /** Sends a call for which no response will come. */
  send(name: string, version: number, fields: object): Promise<void>;
  readonly socket: Socket;
};
// biome-ignore lint/suspicious/noExplicitAny: each call has its own shape, which the test spells out
export type Decoded = any;

/** What a Produce, Fetch or ListOffsets response says of its one partition. */
export const only = (response: Decoded): Decoded => (response.topics ?? response.responses)[0].partitions[0];

/** One connection to one node. */
export async function wireTo({ broker, onEnd }: Pick<Stack, 'broker' | 'onEnd'>, nodeId = 1): Promise<Wire> {
  const [host, port] = broker.brokers[nodeId - 1].split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const closed = new Promise<never>((_, reject) => socket.once('close', () => reject(new Error('connection closed'))));
  closed.catch(() => 'only tests that wait for an answer care');
  onEnd(async () => socket.destroy());
  const waiting: ((frame: Buffer) => void)[] = [];
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      waiting.shift()?.(bytes.subarray(8, end));
      bytes = bytes.subarray(end);
    }
  });
  let correlationId = 0;
  const write = async (request: object): Promise<void> => {
    const frame = await require('kafkajs/src/protocol/request')({ correlationId, clientId: 'wire', request });
    correlationId++;
    socket.write(frame.buffer);
  };
  const part = (name: string, version: number, which: string) =>
    require(`kafkajs/src/protocol/requests/${name}/v${version}/${which}`);
  return {
    socket,
    send: (name, version, fields) => write(part(name, version, 'request')(fields)),
    async call(name, version, fields) {
      const found = part(name, version, 'response');
      const response = typeof found === 'function' ? found(fields) : found; // some want to know what was asked
      const answer = new Promise<Buffer>((resolve) => waiting.push(resolve));
      await write(part(name, version, 'request')(fields));
      return response.decode(await Promise.race([answer, closed]));
    },
  };
}

/** Fields of a Produce call with one batch. */
export function batch(
  topic: string,
  partition: number,
  values: readonly (string | Buffer)[],
  more: object = {},
): object {
  const messages = values.map((value) => ({ key: null, value, timestamp: 1000, headers: {} }));
  const { firstSequence = 0, ...rest } = more as { firstSequence?: number };
  return {
    acks: -1,
    timeout: 1000,
    ...rest,
    topicData: [{ topic, partitions: [{ partition, firstSequence, messages }] }],
  };
}

/** Fields of a Fetch call of one partition. */
export function fetchFrom(topic: string, partition: number, fetchOffset: number, more: object = {}): object {
  const limits = { replicaId: -1, maxWaitTime: 0, minBytes: 1, maxBytes: 1 << 20 };
  return {
    ...limits,
    ...more,
    topics: [{ topic, partitions: [{ partition, fetchOffset, maxBytes: 1 << 20, ...more }] }],
  };
}
