import type { Admin, Kafka } from 'kafkajs';
import { type Clock, pause } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { acknowledgementProblem } from './acknowledgement.ts';
import {
  createKafkaClient,
  type KafkaConnection,
  persistently,
  REQUEST_TIMEOUT_MS,
  reach,
  topicMissing,
} from './connection.ts';
import { isTopicMissing, mayBeWritten, messageOf, translate } from './errors.ts';
import { checkClient, installedClientVersion } from './internals.ts';
import { toMessages } from './messages.ts';
import { createProducers, type ProducerLease, type Producers } from './producers.ts';
import { checkSize } from './size.ts';
import { createTopics, type Topics } from './topics.ts';

/**
 * Kafka as a sink, over an idempotent kafkajs producer.
 *
 * Promise: the port's (src/ports/sink.ts). One call is one partition (a call over several can skip messages when a
 * leader moves), one produce request an attempt; attempts repeat the same bytes through the same producer, so that the
 * broker recognises them; when they end in failure the producer is replaced, and the rows may come twice (counted).
 * A topic has producers of its own: the client reads the metadata of all topics of a producer together, and when one of them
 * is gone, sends to none → a dead-letter topic that was deleted holds the dead letters, and nothing else.
 * Limits: header order across names is the client's; a null header value is sent empty.
 */
export interface KafkaSinkDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** In place of the client's own, for tests. */
  readonly createClient?: (connection: KafkaConnection, telemetry: Telemetry) => Kafka;
}

export interface KafkaSinkOptions extends KafkaConnection {
  /** No attempt begins later than this after the first; the caller decides what then. */
  readonly sendWithinMs?: number;
  /** How long the broker may wait for its replicas; less than the time-out of the request, or every wait ends a connection. */
  readonly replicasMs?: number;
  readonly metadataRefreshMs?: number;
  readonly closeMs?: number;
}

/** The client groups messages in quadratic time → more rows than this go in several requests. */
const ROWS_A_REQUEST = 1_000;
const REPLICAS_SHARE = 0.8;
/** Brokers that do not know a topic yet, or no longer lead it, say the same as when it does not exist. */
const MISSING_MS = 3_000;
/** What a new leader costs at most beyond its election; an attempt is one look at the metadata, no more, while there is none. */
const AGAIN_MAX_MS = 200;

export function createKafkaSink(deps: KafkaSinkDeps, options: KafkaSinkOptions): Sink {
  const { clock, telemetry, random } = deps;
  const { brokers } = options;
  const duplicates = telemetry.counter('sluice_duplicates_possible_total');
  const nullHeaders = new Set<string>();
  let admin: Admin | undefined;
  let topics: Topics | undefined;
  let make: (() => Producers) | undefined;
  const producers = new Map<string, Producers>();
  /** Those with which the start tried whether it may produce; the first topic takes them. */
  let tried: Producers | undefined;

  function opened(): { readonly topics: Topics; readonly make: () => Producers } {
    if (topics === undefined || make === undefined) {
      throw new SluiceError('invariant-broken', 'the Kafka sink is used before open or after close');
    }
    return { topics, make };
  }

  function producersOf(topic: string): Producers {
    let found = producers.get(topic);
    if (found === undefined) {
      found = tried ?? opened().make();
      tried = undefined;
      producers.set(topic, found);
    }
    return found;
  }

  function nullHeader(topic: string): void {
    if (nullHeaders.has(topic)) return;
    nullHeaders.add(topic);
    telemetry.event('header-null-as-empty', { topic });
  }

  async function judge(
    topic: string,
    partition: number,
    answer: Parameters<typeof acknowledgementProblem>[0],
    repeated: boolean,
  ) {
    const { topics: known } = opened();
    const sent = { topic, partition, repeated, logAppendTime: known.of(topic).logAppendTime };
    let problem = acknowledgementProblem(answer, sent);
    if (problem !== undefined && !sent.logAppendTime) {
      // The topic may have been switched to append times since they were read.
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

  /** One request, repeated with the same bytes through the same producer while that may help. */
  async function request(
    lease: ProducerLease,
    topic: string,
    partition: number,
    rows: RecordSlab,
    from: number,
    to: number,
  ) {
    const messages = toMessages(rows, from, to, partition, () => nullHeader(topic));
    const deadline = deadlineIn(clock, options.sendWithinMs ?? 15_000);
    const timeout = options.replicasMs ?? (options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS) * REPLICAS_SHARE;
    const patience = deadlineIn(clock, MISSING_MS);
    const doing = `send ${to - from} rows to ${topic}/${partition}`;
    let maybeWritten = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await lease.producer.send({ topic, messages, acks: -1, timeout });
        await judge(topic, partition, answer, attempt > 1);
        return;
      } catch (thrown) {
        maybeWritten ||= mayBeWritten(thrown);
        const missing = isTopicMissing(thrown);
        const error = translate(thrown, doing, brokers);
        const again = (error.disposition === 'retry' && !(thrown instanceof SluiceError)) || missing;
        if (!again || deadline.passed() || (missing && patience.passed())) {
          throw new Failed(missing ? gone(topic, thrown) : error, maybeWritten);
        }
        telemetry.counter('sluice_retries_total', { what: 'kafka-send', reason: error.code }).add(1);
        await pause(clock, Math.min(AGAIN_MAX_MS, 25 * 2 ** attempt) * (0.5 + random() / 2));
      }
    }
  }

  /** It was there when the sink was opened. Ending the process would not bring it back, and rows that wait are not lost. */
  function gone(topic: string, cause: unknown): SluiceError {
    return new SluiceError(
      'broker-rejected',
      `${topicMissing(topic, brokers).message}; what is sent there waits`,
      cause,
    );
  }

  return {
    async open(names) {
      checkClient({ version: installedClientVersion(), debugProtocolBuffers: options.debugProtocolBuffers ?? false });
      const kafka = (deps.createClient ?? createKafkaClient)(options, telemetry);
      admin = await reach(deps, options, kafka);
      const refreshMs = options.metadataRefreshMs ?? 60_000;
      topics = createTopics({ admin, clock, telemetry }, { brokers, refreshMs });
      make = () =>
        createProducers(
          {
            kafka,
            onDisconnectFailed: (thrown) =>
              telemetry.event('kafka-client', { severity: 'warn', component: 'close', message: messageOf(thrown) }),
          },
          { metadataMaxAgeMs: refreshMs },
        );
      const known = topics;
      const pool = make();
      tried = pool;
      await persistently(deps, options, 'read about the topics', () => known.open(names));
      await persistently(deps, options, 'begin to produce', async () => (await pool.lease()).release());
    },

    partitionCount: (topic) => opened().topics.of(topic).partitions,

    async send(topic, partition, rows) {
      const { topics: known } = opened();
      const pool = producersOf(topic);
      if (rows.count <= ROWS_A_REQUEST) checkSize(topic, rows, known.of(topic).maxBytes);
      let lease: ProducerLease;
      try {
        lease = await pool.lease();
      } catch (thrown) {
        throw translate(thrown, `send ${rows.count} rows to ${topic}/${partition}`, brokers);
      }
      try {
        for (let from = 0; from < rows.count; from += ROWS_A_REQUEST) {
          await request(lease, topic, partition, rows, from, Math.min(rows.count, from + ROWS_A_REQUEST));
        }
      } catch (thrown) {
        const { error, maybeWritten } =
          thrown instanceof Failed ? thrown : new Failed(translate(thrown, 'send', brokers), true);
        if (error.disposition === 'dead-letter' && !maybeWritten && rows.count <= ROWS_A_REQUEST) throw error;
        const possible = maybeWritten || rows.count > ROWS_A_REQUEST ? rows.count : 0;
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

    async close() {
      topics?.close();
      const all = [...producers.values(), ...(tried === undefined ? [] : [tried])];
      const ends = Promise.all([...all.map((each) => each.close()), admin?.disconnect()]);
      topics = undefined;
      make = undefined;
      const timeoutMs = options.closeMs ?? 5_000;
      if (!(await within(clock, deadlineIn(clock, timeoutMs), ends)))
        telemetry.event('sink-close-overdue', { timeoutMs });
    },
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
