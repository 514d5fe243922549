import { type Admin, type ISocketFactory, Kafka, type logCreator, logLevel } from 'kafkajs';
import { type Clock, pause } from '../../kernel/clock.ts';
import type { KafkaLogin } from '../../kernel/connections/login.ts';
import type { TlsSettings } from '../../kernel/connections/tls.ts';
import { deadlineIn } from '../../kernel/deadline.ts';
import { mayPassAtStart, SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { isTopicMissing, isUnreached, messageOf, translate } from './client/errors.ts';
import { quietIdleQueues } from './client/idle-queues.ts';
import { installedClientVersion, SUPPORTED_CLIENT } from './client/internals.ts';
import { saslOf } from './client/login.ts';
import { guardNetwork } from './client/network.ts';
import { socketsOf, takeResponsesWhole } from './client/sockets.ts';
import { misfitOfAll } from './probe/listener.ts';

/** How to reach a cluster, for source and sink alike. */
export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Undefined: without TLS. */
  readonly ssl?: TlsSettings;
  readonly sasl?: KafkaLogin;
  /** One connection attempt. */
  readonly dialTimeoutMs?: number;
  /** One request. */
  readonly requestTimeoutMs?: number;
  /** How long `start` and `open` keep trying before they reject with `broker-unavailable`. */
  readonly reachWithinMs?: number;
  /** Whether KAFKAJS_DEBUG_PROTOCOL_BUFFERS is set in the environment. */
  readonly debugProtocolBuffers?: boolean;
  /** The version to assume instead of the installed one, for tests. */
  readonly clientVersion?: string;
}

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** When aborted, nothing is retried: the caller no longer wants the result. */
  readonly closing?: AbortSignal;
}

/** Components of the client whose log lines are about connections, not about answers. */
const TROUBLE: ReadonlySet<string> = new Set(['Connection', 'BrokerPool']);

/** A broker that hangs is noticed within this; requests of which more is known have more (client/network.ts, and those that wait for records or members). */
export const REQUEST_TIMEOUT_MS = 5_000;

const LEVELS: Readonly<Record<number, string>> = { 1: 'error', 2: 'warn', 4: 'info', 5: 'debug' };

/**
 * `onTrouble` is told what the client says of connections that fail: address and cause, nothing else. Once `closing` is aborted
 * it connects nowhere.
 */
export function createKafkaClient(
  connection: KafkaConnection,
  telemetry: Telemetry,
  onTrouble: (message: string) => void = () => undefined,
  closing?: AbortSignal,
): Kafka {
  // The client logs ERROR for every retriable answer → alarms nobody can act on → its lines are debug events;
  // what matters is counted and logged by this adapter. Only the message is taken: the rest may hold configuration.
  const quiet: logCreator = () => (entry) => {
    telemetry.event('kafka-client', {
      severity: LEVELS[entry.level] ?? 'info',
      component: entry.namespace,
      message: entry.log.message,
    });
    if (entry.level === logLevel.ERROR && TROUBLE.has(entry.namespace)) onTrouble(entry.log.message);
  };
  return new Kafka({
    brokers: [...connection.brokers],
    clientId: connection.clientId,
    // The client only hands this on to the socket factory.
    ssl: connection.ssl !== undefined,
    sasl: connection.sasl && saslOf(connection.sasl),
    socketFactory: unlessClosed(socketsOf(connection.ssl), closing),
    connectionTimeout: connection.dialTimeoutMs ?? 2_000,
    requestTimeout: connection.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 50, maxRetryTime: 400, retries: 4 },
    logLevel: logLevel.INFO,
    logCreator: quiet,
  });
}

/**
 * The client reconnects for each request that finds no connection, and some of its operations take several requests (cause) → an
 * operation in flight while it disconnects opens a connection that nobody closes (effect) → it gets none (guard).
 */
function unlessClosed(open: ISocketFactory, closing: AbortSignal | undefined): ISocketFactory {
  if (closing === undefined) return open;
  return (at) => {
    if (closing.aborted) throw new Error('it is closed, and connects no more');
    return open(at);
  };
}

export function versionOf({ clientVersion }: KafkaConnection): string {
  return clientVersion ?? installedClientVersion();
}

/** Connects an admin client, trying for `reachWithinMs`. */
export async function reach(deps: ConnectionDeps, connection: KafkaConnection, kafka: Kafka): Promise<Admin> {
  const { brokers } = connection;
  // The guards patch classes as they are in one version; another version runs without them (and only writes: client/internals.ts).
  if (versionOf(connection) === SUPPORTED_CLIENT) {
    quietIdleQueues(() => deps.clock.wallMs());
    guardNetwork(deps.clock);
    takeResponsesWhole();
  }
  return persistently(
    deps,
    connection,
    `connect to Kafka at ${brokers.join(', ')}`,
    async () => {
      const admin = kafka.admin({ retry: { retries: 0 } });
      try {
        await admin.connect();
        return admin;
      } catch (thrown) {
        await admin.disconnect();
        throw thrown;
      }
    },
    (thrown, attempts) =>
      new SluiceError(
        'broker-unavailable',
        `none of the brokers ${brokers.join(', ')} could be reached in ${attempts} attempts (${messageOf(thrown)}): check the addresses, that the cluster runs, and that ssl and sasl in connections.kafka are what its listener wants`,
        thrown,
      ),
  );
}

/**
 * Repeats a step of the start for up to `reachWithinMs`, as long as its failure may pass and nobody closes what is starting: one
 * broker that is down is no reason to end.
 * Rejects with the meaning of the last failure, or what `exhausted` makes of it.
 */
export async function persistently<T>(
  deps: ConnectionDeps,
  connection: KafkaConnection,
  doing: string,
  attempt: () => Promise<T>,
  exhausted?: (thrown: unknown, attempts: number) => SluiceError,
): Promise<T> {
  const { clock, telemetry, random, closing } = deps;
  const { brokers } = connection;
  const deadline = deadlineIn(clock, connection.reachWithinMs ?? 30_000);
  for (let attempts = 1; ; attempts++) {
    if (closing?.aborted) throw closedMeanwhile(doing);
    try {
      return await attempt();
    } catch (thrown) {
      const error = translate(thrown, doing, brokers);
      if (closing?.aborted) throw closedMeanwhile(doing, thrown);
      if (!mayPassAtStart(error)) throw error;
      const mistake = error.code === 'broker-unavailable' ? await misfit(deps, connection, thrown) : undefined;
      if (mistake !== undefined) throw mistake;
      if (deadline.passed()) throw exhausted?.(thrown, attempts) ?? error;
      const delayMs = Math.min(2_000, 100 * 2 ** attempts) * (0.5 + random() / 2);
      telemetry.counter('sluice_retries_total', { what: 'kafka-connect', reason: error.code }).add(1);
      telemetry.event('kafka-connect-retry', { brokers: brokers.join(','), error: messageOf(thrown), delayMs });
      await pause(clock, Math.min(delayMs, deadline.remainingMs()), closing);
    }
  }
}

function closedMeanwhile(doing: string, cause?: unknown): SluiceError {
  return new SluiceError('broker-unavailable', `did not ${doing}: it was closed while it started`, cause);
}

/** A listener that does not match ssl and sasl hangs up every time, so that is checked before it is tried again. */
async function misfit(
  { clock }: ConnectionDeps,
  { brokers, clientId, ssl, sasl, dialTimeoutMs = 2_000 }: KafkaConnection,
  thrown: unknown,
): Promise<SluiceError | undefined> {
  if (isUnreached(thrown)) return undefined;
  return misfitOfAll(clock, brokers, { clientId, ssl, sasl, timeoutMs: dialTimeoutMs });
}

/** Partitions of each topic. Rejects with `topic-missing`, naming the topic and how to create it. */
export async function partitionCounts(
  admin: Admin,
  topics: readonly string[],
  brokers: readonly string[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const topic of topics) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] });
      counts.set(topic, found[0].partitions.length);
    } catch (thrown) {
      if (isTopicMissing(thrown)) throw topicMissing(topic, brokers, thrown);
      // A metadata request that every broker fails makes the client read a property of null → TypeError → not a defect of ours.
      if (thrown instanceof TypeError) {
        throw new SluiceError(
          'broker-unavailable',
          `no broker of ${brokers.join(', ')} answered about topic "${topic}"; it is tried again`,
          thrown,
        );
      }
      throw translate(thrown, `read the metadata of topic "${topic}"`, brokers);
    }
  }
  return counts;
}

export function topicMissing(topic: string, brokers: readonly string[], cause?: unknown): SluiceError {
  return new SluiceError(
    'topic-missing',
    `topic "${topic}" does not exist on ${brokers.join(', ')}, and a pipeline never creates topics: ` +
      `kafka-topics.sh --bootstrap-server ${brokers[0]} --create --topic ${topic} --partitions N`,
    cause,
  );
}
