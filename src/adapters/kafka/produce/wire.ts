import { createRequire } from 'node:module';
import type { RecordSlab } from '../../../kernel/record-slab.ts';
import { type BatchProducer, batchBound, writeBatch } from '../record-batch/write.ts';
import { frontBytes, installPayloads, Payload } from './payload.ts';

/**
 * Our own Produce requests, versions 3 to 7: rows → one buffer with the whole request, and its answer. The client's connections carry
 * them (`broker.connectionPool.send`), with its time-outs, throttling, login, and errors for error codes.
 *
 *   request  => transactional_id acks timeout [topic [partition record_set]]
 *   response => [topic [partition error_code base_offset log_append_time log_start_offset(5+)]] throttle_time
 */
export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly rows: RecordSlab;
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
}

export interface ProduceHead {
  readonly clientId: string;
  readonly transactionalId: string | null;
  /** How long the broker may wait for its replicas. */
  readonly timeoutMs: number;
  readonly producer: BatchProducer;
}

/** What a broker acknowledged, under the client's names. */
export interface Acknowledged {
  readonly topicName: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: string;
  readonly logAppendTime: string;
}

export interface ProduceAnswer {
  readonly acknowledged: readonly Acknowledged[];
  /** How long to send nothing on this connection. */
  readonly clientSideThrottleTime: number;
}

/** A request in the form that the client's connections expect. */
export interface ProduceCall {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<Payload>;
    expectResponse(): boolean;
  };
  readonly response: {
    decode(bytes: Buffer): Promise<ProduceAnswer>;
    parse(answer: ProduceAnswer): Promise<readonly Acknowledged[]>;
  };
}

type Versions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;

const PRODUCE = 0;
const FIRST_VERSION = 3;
const LAST_VERSION = 7;
const LOG_START_SINCE = 5;
/** From this version on, the broker answers before it throttles, and the client waits. */
const THROTTLED_HERE_SINCE = 6;
const ALL_REPLICAS = -1;
const UNSUPPORTED_VERSION = 35;

const require = createRequire(import.meta.url);
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error };

/** The client's error for an error code of the protocol. */
export function errorOfCode(code: number): Error {
  return createErrorFromCode(code);
}

/** The version to use with a broker; undefined if there is none in common. */
export function produceVersion(versions: Versions): number | undefined {
  const known = versions[PRODUCE];
  if (known === undefined || known.maxVersion < FIRST_VERSION || known.minVersion > LAST_VERSION) return undefined;
  return Math.min(known.maxVersion, LAST_VERSION);
}

/** The whole request. `allocate` gives at least as many bytes as it is asked for; parts of one topic follow one another. */
export function encodeProduce(
  head: ProduceHead,
  parts: readonly ProducePart[],
  allocate: (bytes: number) => Buffer,
): Payload {
  const front = frontBytes(head.clientId);
  let bound = front + 2 + (head.transactionalId === null ? 0 : Buffer.byteLength(head.transactionalId)) + 2 + 4 + 4;
  for (const { topic, rows, from, to } of parts)
    bound += 2 + Buffer.byteLength(topic) + 4 + 8 + batchBound(rows, from, to);
  const into = allocate(bound);
  let at = putString(into, front, head.transactionalId);
  at = into.writeInt16BE(ALL_REPLICAS, at);
  at = into.writeInt32BE(head.timeoutMs, at);
  const topicsAt = at;
  at += 4;
  let topics = 0;
  let partitionsAt = 0;
  let partitions = 0;
  for (const [i, part] of parts.entries()) {
    if (i === 0 || parts[i - 1].topic !== part.topic) {
      topics++;
      at = putString(into, at, part.topic);
      partitionsAt = at;
      partitions = 0;
      at += 4;
    }
    into.writeInt32BE(++partitions, partitionsAt);
    at = into.writeInt32BE(part.partition, at);
    const end = writeBatch(into, at + 4, part.rows, part.from, part.to, head.producer, part.sequence);
    into.writeInt32BE(end - at - 4, at);
    at = end;
  }
  into.writeInt32BE(topics, topicsAt);
  return new Payload(into, front, at);
}

function putString(into: Buffer, at: number, text: string | null): number {
  if (text === null) return into.writeInt16BE(-1, at);
  const bytes = into.write(text, at + 2);
  into.writeInt16BE(bytes, at);
  return at + 2 + bytes;
}

/** `payload` is called when there is a connection; once it has answered, the bytes may reach the broker. */
export function produceCall(version: number, payload: () => Payload): ProduceCall {
  installPayloads();
  return {
    request: {
      apiKey: PRODUCE,
      apiVersion: version,
      apiName: 'Produce',
      encode: async () => payload(),
      expectResponse: () => true,
    },
    response: {
      decode: async (bytes) => decodeProduced(bytes, version),
      parse: async ({ acknowledged }) => acknowledged,
    },
  };
}

/** The part of a broker connection that sending needs. */
export interface ProduceBroker {
  /** What the broker answers to, by key of the request. */
  readonly versions: Versions;
  readonly connectionPool: { send(call: ProduceCall): Promise<readonly Acknowledged[]> };
  disconnect(): Promise<void>;
}

/** Sends one request; resolves to the answer for each partition. Rejects with the client's error if there is no answer. */
export async function sendProduce(broker: ProduceBroker, payload: () => Payload): Promise<readonly Acknowledged[]> {
  const version = produceVersion(broker.versions);
  if (version === undefined) throw errorOfCode(UNSUPPORTED_VERSION);
  try {
    return await broker.connectionPool.send(produceCall(version, payload));
  } catch (thrown) {
    if ((thrown as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw thrown;
  }
}

/** Throws RangeError on bytes that are not such an answer. */
export function decodeProduced(bytes: Buffer, version: number): ProduceAnswer {
  let at = 4;
  const acknowledged: Acknowledged[] = [];
  for (let topics = bytes.readInt32BE(0); topics > 0; topics--) {
    const nameEnd = at + 2 + bytes.readInt16BE(at);
    const topicName = bytes.toString('utf8', at + 2, nameEnd);
    at = nameEnd + 4;
    for (let partitions = bytes.readInt32BE(nameEnd); partitions > 0; partitions--) {
      acknowledged.push({
        topicName,
        partition: bytes.readInt32BE(at),
        errorCode: bytes.readInt16BE(at + 4),
        baseOffset: String(bytes.readBigInt64BE(at + 6)),
        logAppendTime: String(bytes.readBigInt64BE(at + 14)),
      });
      at += version >= LOG_START_SINCE ? 30 : 22;
    }
  }
  const throttleMs = bytes.readInt32BE(at);
  return { acknowledged, clientSideThrottleTime: version >= THROTTLED_HERE_SINCE ? throttleMs : 0 };
}
