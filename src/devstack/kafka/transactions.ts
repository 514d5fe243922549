/**
 * The transaction coordinator: one state per transactional id.
 *
 *   Empty ──first partition or group──▶ Ongoing ──EndTxn──▶ Committed, Aborted ──first partition or group──▶ Ongoing
 *                                          └──time-out, or a new epoch: aborted under an epoch of its own──▶ Aborted
 *
 * In one process, a transaction ends within one turn of the event loop, markers and offsets together. So CONCURRENT_TRANSACTIONS is
 * never returned, and no half-ended transaction is ever visible. Errors are those of the announced versions (calls.ts).
 */
import type { Offsets } from './offsets.ts';
import type { PartitionLog } from './partition-log.ts';
import { ERROR } from './protocol.ts';
import type { After, Timer } from './server.ts';

/** One epoch of one transactional id, as a client names it with every request. */
export type Epoch = { readonly id: string; readonly producerId: number; readonly producerEpoch: number };
type Transaction = {
  producerId: number;
  producerEpoch: number;
  timeoutMs: number;
  state: 'Empty' | 'Ongoing' | 'Committed' | 'Aborted';
  readonly logs: Set<PartitionLog>;
  readonly groups: Set<Offsets>;
  timer?: Timer;
};

/** Kafka's `transaction.max.timeout.ms`. */
const MAX_TIMEOUT_MS = 900_000;
/** An epoch is an int16; the last one is reserved for the coordinator's own abort. */
const LAST_EPOCH = 0x7ffe;

export class Transactions {
  readonly #byId = new Map<string, Transaction>();
  readonly #after: After;
  readonly #newProducerId: () => number;

  constructor(after: After, newProducerId: () => number) {
    this.#after = after;
    this.#newProducerId = newProducerId;
  }

  /** Begins a new epoch: older ones are refused from here on, and their open transaction is aborted. */
  begin(id: string, timeoutMs: number): Epoch | number {
    if (id === '') return ERROR.invalidRequest;
    if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) return ERROR.invalidTransactionTimeout;
    const known = this.#byId.get(id);
    if (known === undefined) {
      const producerId = this.#newProducerId();
      const made = { producerId, producerEpoch: 0, timeoutMs, state: 'Empty', logs: new Set(), groups: new Set() };
      this.#byId.set(id, made as Transaction);
      return { id, producerId, producerEpoch: 0 };
    }
    if (known.state === 'Ongoing') this.#abort(known);
    known.timeoutMs = timeoutMs;
    known.state = 'Empty';
    if (known.producerEpoch >= LAST_EPOCH) {
      known.producerId = this.#newProducerId();
      known.producerEpoch = 0;
    } else known.producerEpoch++;
    return { id, producerId: known.producerId, producerEpoch: known.producerEpoch };
  }

  /** Adds partitions or a group to the transaction, beginning one if there is none. */
  add(epoch: Epoch, logs: readonly PartitionLog[], groups: readonly Offsets[]): number {
    const found = this.#of(epoch);
    if (typeof found === 'number') return found;
    if (found.state !== 'Ongoing') {
      found.state = 'Ongoing';
      found.timer = this.#after(found.timeoutMs, () => this.#abort(found));
    }
    for (const log of logs) found.logs.add(log);
    for (const group of groups) found.groups.add(group);
    return ERROR.none;
  }

  /** Whether this epoch may write here: only if its open transaction includes it. */
  check(epoch: Epoch, where: PartitionLog | Offsets): number {
    const found = this.#of(epoch);
    if (typeof found === 'number') return found;
    const isIn = found.logs.has(where as PartitionLog) || found.groups.has(where as Offsets);
    return found.state === 'Ongoing' && isIn ? ERROR.none : ERROR.invalidTransactionState;
  }

  end(epoch: Epoch, committed: boolean): number {
    const found = this.#of(epoch);
    if (typeof found === 'number') return found;
    const outcome = committed ? 'Committed' : 'Aborted';
    if (found.state === 'Ongoing') this.#end(found, committed);
    // Repeated because the answer was lost: already done.
    return found.state === outcome ? ERROR.none : ERROR.invalidTransactionState;
  }

  close(): void {
    for (const { timer } of this.#byId.values()) timer?.cancel();
  }

  #of({ id, producerId, producerEpoch }: Epoch): Transaction | number {
    const found = this.#byId.get(id);
    if (found === undefined || found.producerId !== producerId) return ERROR.invalidProducerIdMapping;
    return found.producerEpoch === producerEpoch ? found : ERROR.invalidProducerEpoch;
  }

  /** Aborts without a request, under a new epoch, so that the old producer is refused from here on. */
  #abort(transaction: Transaction): void {
    transaction.producerEpoch++;
    this.#end(transaction, false);
  }

  #end(transaction: Transaction, committed: boolean): void {
    const { producerId, producerEpoch, logs, groups, timer } = transaction;
    timer?.cancel();
    transaction.state = committed ? 'Committed' : 'Aborted';
    // Offsets first: whoever reads an output after the marker also finds the offsets committed with it.
    for (const group of groups) group.ended(producerId, committed);
    for (const log of logs) log.end(producerId, producerEpoch, committed);
    groups.clear();
    logs.clear();
  }
}
