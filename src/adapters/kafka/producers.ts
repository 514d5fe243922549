import type { Kafka, Producer } from 'kafkajs';

/**
 * The producer in use, and those that are being given up.
 *
 * After an idempotent send fails for good, the client reuses its sequence number for the next rows → the broker takes
 * them for duplicates and drops them, acknowledged → a producer through which a send failed sends nothing new; calls
 * under way (other partitions, other sequences) end on it, then it is disconnected.
 */
export interface ProducerLease {
  readonly producer: Producer;
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
  readonly producer: Producer;
  readonly connected: Promise<void>;
  leases: number;
  poisoned: boolean;
}

export function createProducers(
  deps: { readonly kafka: Kafka; readonly onDisconnectFailed: (thrown: unknown) => void },
  options: { readonly metadataMaxAgeMs: number },
): Producers {
  let current: Entry | undefined;
  const alive = new Set<Entry>();

  function open(): Entry {
    const producer = deps.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      metadataMaxAge: options.metadataMaxAgeMs,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition as number,
      // The client retries with no word to us → an answer that reads "duplicate" could be either of two things →
      // each attempt is ours. It refuses `retries: 0` for idempotent producers; NaN passes its check and means none.
      retry: { retries: Number.NaN },
    });
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
