import type { Admin, Kafka } from 'kafkajs';
import { type Clock, pause } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { isProducerSpent, isTopicMissing, mayBeWritten, messageOf, translate } from './client/errors.ts';
import { producerPath, SUPPORTED_CLIENT } from './client/internals.ts';
import {
  createKafkaClient,
  type KafkaConnection,
  persistently,
  REQUEST_TIMEOUT_MS,
  reach,
  topicMissing,
  versionOf,
} from './connection.ts';
import { acknowledgementProblem } from './produce/acknowledgement.ts';
import { createIdempotentProducer } from './produce/idempotent-producer.ts';
import { createProducers, type Producers, type SendRequest, type TopicProducer } from './produce/producers.ts';
import { checkSize } from './produce/record-size.ts';
import { RequestBuffers } from './produce/request-buffers.ts';
import { createStockProducer } from './produce/stock-producer.ts';
import { createTopics, type Topics } from './produce/topics.ts';
import type { Acknowledged } from './produce/wire.ts';

/**
 * Kafka as a sink, with idempotent producers: ours (produce/idempotent-producer.ts), or the client's (`stock`, or a version of the
 * client for which ours was not written; then an event says so).
 *
 * Promise: that of the port (src/ports/sink.ts). One call sends to one partition (a call of the client for several partitions can
 * skip messages when a leader moves). Attempts repeat the same batch, byte for byte, through the same producer, so that the broker
 * recognises them; when all fail, the producer is replaced, and the rows may come twice (counted).
 * Each topic has producers of its own: the client reads the metadata of all topics of a producer together and, if one of them is
 * gone, sends to none. So a deleted dead-letter topic holds up dead letters, and nothing else.
 */
export interface KafkaSinkDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Replaces the producers, for tests. */
  readonly createClient?: (connection: KafkaConnection, telemetry: Telemetry) => Kafka;
}

export interface KafkaSinkOptions extends KafkaConnection {
  /** No attempt begins later than this after the first; what follows is the caller's decision. */
  readonly sendWithinMs?: number;
  /** How long the broker may wait for its replicas; less than the request time-out, or every such wait would end a connection. */
  readonly replicasMs?: number;
  readonly metadataRefreshMs?: number;
  readonly closeMs?: number;
  /** Use the client's own producer and encoder: several times the cost, and neither header order nor null headers are kept. */
  readonly stock?: boolean;
}

const REPLICAS_SHARE = 0.8;
/** Brokers that do not know a topic yet, or no longer lead it, give the same answer as if it did not exist. */
const MISSING_MS = 3_000;
/** The longest delay after the election of a new leader; while there is none, an attempt only reads the metadata. */
const AGAIN_MAX_MS = 200;

export function createKafkaSink(deps: KafkaSinkDeps, options: KafkaSinkOptions): Sink {
  const { clock, telemetry, random } = deps;
  const { brokers } = options;
  const duplicates = telemetry.counter('sluice_duplicates_possible_total');
  const nullHeaders = new Set<string>();
  let admin: Admin | undefined;
  let topics: Topics | undefined;
  let make: ((topic: string) => TopicProducer) | undefined;
  const producers = new Map<string, Producers>();

  function opened(): { readonly topics: Topics; readonly make: (topic: string) => TopicProducer } {
    if (topics === undefined || make === undefined) {
      throw new SluiceError('invariant-broken', 'the Kafka sink is used before open or after close');
    }
    return { topics, make };
  }

  function producersOf(topic: string): Producers {
    const found = producers.get(topic);
    if (found !== undefined) return found;
    const { make: create } = opened();
    const made = createProducers({
      create: () => create(topic),
      onDisconnectFailed: (thrown) =>
        telemetry.event('kafka-client', { severity: 'warn', component: 'close', message: messageOf(thrown) }),
    });
    producers.set(topic, made);
    return made;
  }

  function nullHeader(topic: string): void {
    if (nullHeaders.has(topic)) return;
    nullHeaders.add(topic);
    telemetry.event('header-null-as-empty', { topic });
  }

  async function judge(
    topic: string,
    partition: number,
    answer: readonly Acknowledged[],
    repeated: boolean,
  ): Promise<void> {
    const { topics: known } = opened();
    const sent = { topic, partition, repeated, logAppendTime: known.of(topic).logAppendTime };
    let problem = acknowledgementProblem(answer, sent);
    if (problem !== undefined && !sent.logAppendTime) {
      // The topic may have been switched to append times since its settings were read.
      await known.refresh();
      problem = acknowledgementProblem(answer, { ...sent, logAppendTime: known.of(topic).logAppendTime });
    }
    if (problem === undefined) return;
    telemetry.event('ack-mismatch', { topic, partition, problem });
    throw new SluiceError(
      'broker-rejected',
      `acknowledgement for ${topic}/${partition} does not fit what was sent: ${problem}`,
    );
  }

  /** One request, repeated with the same bytes through the same producer as long as that may help. */
  async function repeat(request: SendRequest, topic: string, partition: number, count: number): Promise<void> {
    const deadline = deadlineIn(clock, options.sendWithinMs ?? 15_000);
    const patience = deadlineIn(clock, MISSING_MS);
    const doing = `send ${count} rows to ${topic}/${partition}`;
    let wasSent = false;
    let maybeWritten = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await request.attempt();
        if (answer !== 'already') await judge(topic, partition, answer, wasSent);
        return;
      } catch (thrown) {
        wasSent ||= request.isSent;
        maybeWritten ||= request.isSent && mayBeWritten(thrown);
        const missing = isTopicMissing(thrown);
        const error = translate(thrown, doing, brokers);
        const mayHelp = error.disposition === 'retry' && !(thrown instanceof SluiceError) && !isProducerSpent(thrown);
        if (!(mayHelp || missing) || deadline.passed() || (missing && patience.passed())) {
          throw new Failed(missing ? gone(topic, thrown) : error, maybeWritten);
        }
        telemetry.counter('sluice_retries_total', { what: 'kafka-send', reason: error.code }).add(1);
        await pause(clock, Math.min(AGAIN_MAX_MS, 25 * 2 ** attempt) * (0.5 + random() / 2));
      }
    }
  }

  /** The topic was there when the sink was opened. Ending the process would not bring it back, and waiting rows are not lost. */
  function gone(topic: string, cause: unknown): SluiceError {
    return new SluiceError(
      'broker-rejected',
      `${topicMissing(topic, brokers).message}; what is sent there waits`,
      cause,
    );
  }

  async function open(names: readonly string[]): Promise<void> {
    const { stock = false, debugProtocolBuffers = false } = options;
    const version = versionOf(options);
    const path = producerPath({ version, debugProtocolBuffers, stock }, () => {
      telemetry.event('client-fallback', { installed: version, supported: SUPPORTED_CLIENT });
    });
    const kafka = (deps.createClient ?? createKafkaClient)(options, telemetry);
    admin = await reach(deps, options, kafka);
    const refreshMs = options.metadataRefreshMs ?? 60_000;
    const replicasMs = options.replicasMs ?? (options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS) * REPLICAS_SHARE;
    const buffers = new RequestBuffers();
    topics = createTopics({ admin, clock, telemetry }, { brokers, refreshMs });
    make = (topic) => {
      const each = { topic, clientId: options.clientId, replicasMs, metadataMaxAgeMs: refreshMs };
      return path === 'stock'
        ? createStockProducer({ kafka, version, onNullHeader: () => nullHeader(topic) }, each)
        : createIdempotentProducer({ kafka, buffers }, each);
    };
    const known = topics;
    await persistently(deps, options, 'read about the topics', () => known.open(names));
    for (const name of names.slice(0, 1)) {
      await persistently(deps, options, 'begin to produce', async () => (await producersOf(name).lease()).release());
    }
  }

  async function close(): Promise<void> {
    topics?.close();
    const ends = Promise.all([...[...producers.values()].map((each) => each.close()), admin?.disconnect()]);
    topics = undefined;
    make = undefined;
    const timeoutMs = options.closeMs ?? 5_000;
    if (!(await within(clock, deadlineIn(clock, timeoutMs), ends)))
      telemetry.event('sink-close-overdue', { timeoutMs });
  }

  return {
    async open(names) {
      try {
        await open(names);
      } catch (thrown) {
        // Nobody closes what was never opened: what looks after the topics would do so for ever, and keep the process alive.
        await close();
        throw thrown;
      }
    },

    partitionCount: (topic) => opened().topics.of(topic).partitions,

    async send(topic, partition, rows) {
      const { maxBytes } = opened().topics.of(topic);
      const doing = `send ${rows.count} rows to ${topic}/${partition}`;
      const lease = await producersOf(topic)
        .lease()
        .catch((thrown: unknown) => {
          throw translate(thrown, doing, brokers);
        });
      const { producer } = lease;
      const isOne = rows.count <= producer.maxRows;
      try {
        if (isOne) checkSize(topic, rows, maxBytes);
        for (let from = 0; from < rows.count; from += producer.maxRows) {
          const to = Math.min(rows.count, from + producer.maxRows);
          await repeat(producer.request(partition, rows, from, to), topic, partition, to - from);
        }
      } catch (thrown) {
        const { error, maybeWritten } =
          thrown instanceof Failed ? thrown : new Failed(translate(thrown, doing, brokers), false);
        if (error.disposition === 'dead-letter' && !maybeWritten && isOne) throw error;
        const possible = maybeWritten || !isOne ? rows.count : 0;
        if (possible > 0) duplicates.add(possible);
        lease.poison();
        telemetry.event('producer-replaced', {
          topic,
          partition,
          rows: rows.count,
          error: error.message,
          duplicates: possible,
        });
        throw error;
      } finally {
        lease.release();
      }
    },

    close,
  };
}

class Failed extends Error {
  readonly error: SluiceError;
  readonly maybeWritten: boolean;

  constructor(error: SluiceError, maybeWritten: boolean) {
    super(error.message);
    this.error = error;
    this.maybeWritten = maybeWritten;
  }
}
