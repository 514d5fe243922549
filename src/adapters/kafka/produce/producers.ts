import type { RecordSlab } from '../../../kernel/record-slab.ts';
import type { Acknowledged } from './wire.ts';

/**
 * The producer in use for a topic, and those that are being abandoned.
 *
 * After an idempotent send has finally failed, its sequence number may be used or free: the next send under it is either dropped by
 * the broker as a duplicate, yet acknowledged, or out of order → a producer with a failed send sends nothing new; calls in flight
 * (other partitions, other sequences) finish on it, then it is disconnected.
 */
export interface TopicProducer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** More rows than this go in several requests. */
  readonly maxRows: number;
  /** Rows [from, to) for one partition, under the sequence that comes next there: what every attempt repeats. */
  request(partition: number, rows: RecordSlab, from: number, to: number): SendRequest;
}

export interface SendRequest {
  /** One attempt. Rejects with the client's error. `already`: an earlier attempt was written, says the broker, and nothing else. */
  attempt(): Promise<readonly Acknowledged[] | 'already'>;
  /** Bytes of the attempt that ended last may have reached a broker. */
  readonly isSent: boolean;
}

export interface ProducerLease {
  readonly producer: TopicProducer;
  /** Nothing new goes through this producer. True the first time. */
  poison(): boolean;
  /** The call is over. */
  release(): void;
}

export interface Producers {
  /** A lease on the producer in use, connected. Rejects with the client's error. */
  lease(): Promise<ProducerLease>;
  close(): Promise<void>;
}

interface Entry {
  readonly producer: TopicProducer;
  readonly connected: Promise<void>;
  leases: number;
  poisoned: boolean;
}

export function createProducers(deps: {
  readonly create: () => TopicProducer;
  readonly onDisconnectFailed: (thrown: unknown) => void;
}): Producers {
  let current: Entry | undefined;
  const alive = new Set<Entry>();

  function open(): Entry {
    const producer = deps.create();
    const entry: Entry = { producer, connected: producer.connect(), leases: 0, poisoned: false };
    alive.add(entry);
    return entry;
  }

  function retire(entry: Entry): void {
    if (!alive.delete(entry)) return;
    entry.producer.disconnect().catch(deps.onDisconnectFailed);
  }

  return {
    async lease() {
      if (current === undefined || current.poisoned) current = open();
      const entry = current;
      entry.leases++;
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        entry.leases--;
        if (entry.poisoned && entry.leases === 0) retire(entry);
      };
      const poison = (): boolean => {
        const isFirst = !entry.poisoned;
        entry.poisoned = true;
        return isFirst;
      };
      try {
        await entry.connected;
      } catch (thrown) {
        poison();
        release();
        throw thrown;
      }
      return { producer: entry.producer, poison, release };
    },

    async close() {
      const all = [...alive];
      alive.clear();
      current = undefined;
      await Promise.all(all.map((entry) => entry.producer.disconnect().catch(deps.onDisconnectFailed)));
    },
  };
}
