import type { Admin, Kafka } from 'kafkajs';
import { type Clock, pause } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Origin } from '../../kernel/frame.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Ownership, Published, Transaction, TransactionalSink } from '../../ports/transactions.ts';
import { isTopicMissing, messageOf, translate } from './client/errors.ts';
import { checkClient, installedClientVersion } from './client/internals.ts';
import { createKafkaClient, type KafkaConnection, persistently, REQUEST_TIMEOUT_MS, reach } from './connection.ts';
import { checkSize } from './produce/record-size.ts';
import { createTopics, type Topics } from './produce/topics.ts';
import {
  createTransactionalProducer,
  isTakenOver,
  type TransactionalProducer,
  whenFree,
} from './transaction/producer.ts';
import { createTransactionWire, type TransactionWire } from './transaction/wire.ts';

/**
 * Kafka as a transactional sink: one transactional id per input partition, `GROUP-TOPIC-PARTITION`.
 *
 * Brokers accept the offset of a transaction from whoever holds the producer, member of the group or not (the client does not support
 * KIP-447). So group membership protects nothing here. This rule does: **a transaction is sent only under a producer epoch that was
 * begun before the committed offset was read, and only if that offset is where the previous transaction ended.** Beginning an epoch
 * fences every other one; reading the offset under it shows whether somebody else has written meanwhile. A zombie can thus disturb
 * the owner, which then restarts from the committed offset, but neither can write a record twice.
 *
 * | state of a partition | event                                    | then                                                     |
 * |----------------------|------------------------------------------|----------------------------------------------------------|
 * | none                 | take                                     | epoch begun, committed offset read: ready                |
 * | ready                | transaction committed                    | ready, at its next offset                                |
 * | ready                | a request failed, or its answer is lost  | doubtful: the producer is given up                       |
 * | ready                | the broker says: another epoch has begun | lost                                                     |
 * | doubtful             | next publish                             | epoch begun, committed offset read:                      |
 * |                      | … it is where we were                    | ready: it was not committed                              |
 * |                      | … it is where the doubtful one ends      | ready: it was committed                                  |
 * |                      | … it is elsewhere                        | lost                                                     |
 * | any                  | release                                  | none; what is open is resolved by who takes it next      |
 */
export interface TransactionsDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Replaces the real ones, for tests. */
  readonly createWire?: (index: number) => TransactionWire;
  readonly createClient?: (connection: KafkaConnection, telemetry: Telemetry) => Kafka;
}

export interface TransactionsOptions extends KafkaConnection {
  readonly groupId: string;
  /**
   * After a crash, readers of committed records wait for the open transaction to end: until the next owner comes, or until this
   * time has passed and the coordinator checks (every 10 s by default). A live transaction that takes longer is aborted and repeated.
   */
  readonly transactionTimeoutMs?: number;
  /** How long `take`, or a transaction, waits for the end of the previous one. */
  readonly patienceMs?: number;
  readonly replicasMs?: number;
  readonly metadataRefreshMs?: number;
  readonly closeMs?: number;
}

/** A broker answers the requests of a connection one by one → partitions share a few connections, not just one. */
export const WIRES = 4;
/** Shorter than our time-out: a broker gives up on its replicas before we give up on the broker. */
const REPLICAS_SHARE = 0.8;
const FIRST_WAIT_MS = 25;
const LAST_WAIT_MS = 1_000;

interface Session {
  readonly origin: Origin;
  readonly wire: TransactionWire;
  producer: TransactionalProducer | undefined;
  /** The committed offset as last read under our epoch, or after our last transaction; -1: none. */
  base: number;
  /** The end of the transaction whose outcome is unknown. */
  doubt: number | undefined;
}

export function createKafkaTransactions(
  deps: TransactionsDeps,
  options: TransactionsOptions,
): TransactionalSink & Ownership {
  const { clock, telemetry, random } = deps;
  const { brokers, groupId } = options;
  const patienceMs = options.patienceMs ?? 10_000;
  const sessions = new Map<string, Session>();
  /** The origin that took a partition last, ready or not. */
  const taken = new Map<string, Origin>();
  const count = (result: string) => telemetry.counter('sluice_transactions_total', { result });
  const results = { committed: count('committed'), failed: count('failed'), lost: count('lost') };
  const underWay = new Set<Promise<void>>();
  let wires: readonly TransactionWire[] = [];
  let admin: Admin | undefined;
  let topics: Topics | undefined;

  const keyOf = ({ topic, partition }: Origin): string => `${topic}/${partition}`;

  function sessionOf(origin: Origin): Session | undefined {
    const session = sessions.get(keyOf(origin));
    return session?.origin === origin ? session : undefined;
  }

  /** Begins a new epoch, and reads what is committed under it. */
  async function begin({ wire, origin }: Session): Promise<readonly [TransactionalProducer, number]> {
    const id = `${groupId}-${origin.topic}-${origin.partition}`;
    const made = await whenFree(clock, deadlineIn(clock, patienceMs), () => wire.initProducer(id));
    const offset = await wire.committed(groupId, origin.topic, origin.partition);
    const producer = createTransactionalProducer({ wire, clock }, made, {
      groupId,
      patienceMs,
    });
    return [producer, offset];
  }

  /** After a failure: finds out the outcome, and gets a producer to continue with if the transaction must be repeated. */
  async function settleDoubt(session: Session, nextOffset: number): Promise<TransactionalProducer | Published> {
    const [producer, offset] = await begin(session);
    const { doubt, base } = session;
    session.producer = producer;
    session.doubt = undefined;
    if (offset === base) return producer;
    if (offset !== doubt || offset !== nextOffset) return lost(session, `${base} was committed, and now ${offset} is`);
    session.base = offset;
    results.committed.add(1);
    return 'committed';
  }

  function failed(session: Session, thrown: unknown, doing: string): SluiceError {
    const { topic, partition } = session.origin;
    const error = isTopicMissing(thrown) ? gone(thrown, doing) : translate(thrown, doing, brokers);
    session.producer = undefined;
    session.wire.forget();
    results.failed.add(1);
    const doubtful = session.doubt !== undefined;
    telemetry.event('transaction-failed', { topic, partition, doubtful, error: error.message });
    return error;
  }

  /** The topics were there when the sink was opened; a broker that has just started may not know them yet. Waiting loses nothing. */
  function gone(thrown: unknown, doing: string): SluiceError {
    const said = 'a broker does not know a topic of it; it is tried again, and waits if the topic was deleted';
    return new SluiceError('broker-rejected', `could not ${doing}: ${said}`, thrown);
  }

  function lost(session: Session, why: string): 'lost' {
    const { topic, partition } = session.origin;
    if (sessionOf(session.origin) === session) sessions.delete(keyOf(session.origin));
    results.lost.add(1);
    telemetry.event('transaction-lost', { topic, partition, why });
    return 'lost';
  }

  async function takeOne(origin: Origin): Promise<void> {
    const wire = wires[origin.partition % wires.length];
    const key = keyOf(origin);
    taken.set(key, origin);
    const session: Session = { origin, wire, producer: undefined, base: Number.NaN, doubt: undefined };
    const deadline = deadlineIn(clock, patienceMs);
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LAST_WAIT_MS, waitMs * 2)) {
      try {
        const [producer, offset] = await begin(session);
        session.producer = producer;
        session.base = offset;
        if (taken.get(key) === origin) sessions.set(key, session);
        return;
      } catch (thrown) {
        const error = translate(thrown, `begin transactions for ${keyOf(origin)}`, brokers);
        if (error.disposition !== 'retry' || deadline.passed()) throw error.disposition === 'retry' ? thrown : error;
        telemetry.counter('sluice_retries_total', { what: 'kafka-transaction', reason: error.code }).add(1);
        wire.forget();
        await pause(clock, waitMs * (0.5 + random() / 2));
        if (taken.get(key) !== origin) return;
      }
    }
  }

  async function publish(transaction: Transaction): Promise<Published> {
    const { origin, parts, nextOffset } = transaction;
    const session = sessionOf(origin);
    if (session === undefined) return 'lost';
    const doing = `publish ${keyOf(origin)} up to ${nextOffset}`;
    for (const { topic, rows } of parts) checkSize(topic, rows, (topics as Topics).of(topic).maxBytes);
    try {
      const producer = session.producer ?? (await settleDoubt(session, nextOffset));
      if (typeof producer === 'string') return producer;
      await producer.run(transaction, () => {
        session.doubt = nextOffset;
      });
    } catch (thrown) {
      if (isTakenOver(thrown)) return lost(session, messageOf(thrown));
      throw failed(session, thrown, doing);
    }
    session.base = nextOffset;
    session.doubt = undefined;
    results.committed.add(1);
    return 'committed';
  }

  async function open(names: readonly string[]): Promise<void> {
    checkClient({ version: installedClientVersion(), debugProtocolBuffers: options.debugProtocolBuffers ?? false });
    const kafka = (deps.createClient ?? createKafkaClient)(options, telemetry);
    const metadataMaxAgeMs = options.metadataRefreshMs ?? 60_000;
    const wireOptions = {
      brokers,
      clientId: options.clientId,
      transactionTimeoutMs: options.transactionTimeoutMs ?? 15_000,
      replicasMs: options.replicasMs ?? (options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS) * REPLICAS_SHARE,
      metadataMaxAgeMs,
    };
    admin = await reach(deps, options, kafka);
    topics = createTopics({ admin, clock, telemetry }, { brokers, refreshMs: metadataMaxAgeMs });
    const known = topics;
    await persistently(deps, options, 'read about the topics', () => known.open(names));
    const create = deps.createWire ?? (() => createTransactionWire(kafka, wireOptions));
    wires = Array.from({ length: WIRES }, (_, index) => create(index));
    for (const wire of wires) await persistently(deps, options, 'begin to produce', () => wire.open(names));
  }

  async function close(): Promise<void> {
    topics?.close();
    sessions.clear();
    const end = async (): Promise<void> => {
      // An interrupted transaction would hold up readers until its time-out, so what is in flight may finish.
      await Promise.all(underWay);
      await Promise.allSettled([...wires.map((wire) => wire.close()), admin?.disconnect()]);
    };
    const timeoutMs = options.closeMs ?? 5_000;
    if (!(await within(clock, deadlineIn(clock, timeoutMs), end())))
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

    partitionCount: (topic) => (topics as Topics).of(topic).partitions,

    async take(origins) {
      await Promise.all(origins.map(takeOne));
    },

    release(origin) {
      if (taken.get(keyOf(origin)) !== origin) return;
      taken.delete(keyOf(origin));
      sessions.delete(keyOf(origin));
    },

    publish(transaction) {
      const call = publish(transaction);
      const ended = call.then(
        () => void underWay.delete(ended),
        () => void underWay.delete(ended),
      );
      underWay.add(ended);
      return call;
    },

    close,
  };
}
