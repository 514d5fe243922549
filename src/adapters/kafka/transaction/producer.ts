import { type Clock, pause } from '../../../kernel/clock.ts';
import { type Deadline, deadlineIn } from '../../../kernel/deadline.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Part, Transaction } from '../../../ports/transactions.ts';
import { kafkaType } from '../client/errors.ts';
import { acknowledgementProblem } from '../produce/acknowledgement.ts';
import { everyOne, type Producer, type TransactionWire } from './wire.ts';

/**
 * One epoch of one transactional id, and its transactions, one at a time.
 *
 * Promise: each request is made once, except those that only open a transaction, which may be repeated without effect. After any
 * rejection this epoch is of no further use. An open transaction is aborted by the next epoch, never by this one: a request of this
 * one may still be on its way, and would be appended after the abort.
 */
export interface TransactionalProducer {
  /** `onCommitting` is called before the one request whose outcome may be in doubt. */
  run(transaction: Transaction, onCommitting: () => void): Promise<void>;
}

export interface TransactionalProducerDeps {
  readonly wire: TransactionWire;
  readonly clock: Clock;
}

export interface TransactionalProducerOptions {
  readonly groupId: string;
  /** For how long a broker may still be at the transaction before. */
  readonly patienceMs: number;
}

const FIRST_WAIT_MS = 2;
const LAST_WAIT_MS = 200;
/** As in the Java client: a sequence is an int32 that wraps around to 0. */
const SEQUENCE_END = 2 ** 31;

export function createTransactionalProducer(
  deps: TransactionalProducerDeps,
  producer: Producer,
  options: TransactionalProducerOptions,
): TransactionalProducer {
  const { wire, clock } = deps;
  const { groupId } = options;
  const sequences = new Map<string, number>();

  async function append(parts: readonly Part[]): Promise<void> {
    const sent = parts.map(({ topic, partition, rows }) => {
      const key = `${topic}/${partition}`;
      const sequence = sequences.get(key) ?? 0;
      sequences.set(key, (sequence + rows.count) % SEQUENCE_END);
      return { topic, partition, rows, from: 0, to: rows.count, sequence };
    });
    const answers = await wire.produce(producer, sent);
    for (const { topic, partition } of parts) {
      const mine = answers.filter((each) => each.topicName === topic && each.partition === partition);
      // Whether rows were taken for duplicates need not be asked: no sequence of an epoch is ever used twice.
      const asked = { topic, partition, repeated: false, logAppendTime: true };
      const problem = acknowledgementProblem(mine, asked);
      if (problem === undefined) continue;
      throw new SluiceError('broker-rejected', `acknowledgement for ${topic}/${partition} does not fit: ${problem}`);
    }
  }

  return {
    async run({ origin, parts, nextOffset }, onCommitting) {
      const deadline = deadlineIn(clock, options.patienceMs);
      // The broker answers CONCURRENT_TRANSACTIONS until the markers of the transaction before are written. Nothing is appended
      // before both are through, so that only what may be repeated is.
      const begin = [whenFree(clock, deadline, () => wire.addOffsets(producer, groupId))];
      if (parts.length > 0) {
        const byTopic = Map.groupBy(parts, ({ topic }) => topic);
        const topics = [...byTopic].map(([topic, list]) => ({ topic, partitions: list.map((each) => each.partition) }));
        begin.push(whenFree(clock, deadline, () => wire.addPartitions(producer, topics)));
      }
      await everyOne(begin);
      const work = [wire.commitOffset(producer, groupId, origin.topic, origin.partition, nextOffset)];
      if (parts.length > 0) work.unshift(append(parts));
      await everyOne(work);
      onCommitting();
      await wire.end(producer);
    },
  };
}

/** Repeats `request` while the broker is still busy with the previous transaction. */
export async function whenFree<T>(clock: Clock, deadline: Deadline, request: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LAST_WAIT_MS, waitMs * 2)) {
    try {
      return await request();
    } catch (thrown) {
      if (kafkaType(thrown) !== 'CONCURRENT_TRANSACTIONS' || deadline.passed()) throw thrown;
      await pause(clock, waitMs);
    }
  }
}

/** Another epoch of this id has begun: by another process, or by the coordinator when the transaction took too long. */
export function isTakenOver(thrown: unknown): boolean {
  return TAKEN_OVER.has(kafkaType(thrown));
}

const TAKEN_OVER: ReadonlySet<string> = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']);
