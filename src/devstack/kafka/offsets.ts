/**
 * Committed offsets of a group, and offsets that wait for the end of their transaction. The later write wins: an offset
 * committed after a transaction's offset was sent still stands when the transaction ends.
 */
export type Committed = { readonly offset: number; readonly metadata: string };
type Placed = Committed & { readonly order: number };
type Waiting = { readonly topic: string; readonly partition: number; readonly committed: Placed };

export class Offsets {
  /** By topic and partition. */
  readonly committed = new Map<string, Map<number, Placed>>();
  /** By producer. */
  readonly #waiting = new Map<number, Waiting[]>();
  #written = 0;

  commit(topic: string, partition: number, { offset, metadata }: Committed): void {
    this.#keep(topic, partition, { offset, metadata, order: this.#written++ });
  }

  commitWith(producerId: number, topic: string, partition: number, { offset, metadata }: Committed): void {
    const waiting = this.#waiting.get(producerId) ?? [];
    waiting.push({ topic, partition, committed: { offset, metadata, order: this.#written++ } });
    this.#waiting.set(producerId, waiting);
  }

  ended(producerId: number, committed: boolean): void {
    const waiting = this.#waiting.get(producerId) ?? [];
    this.#waiting.delete(producerId);
    if (committed) for (const each of waiting) this.#keep(each.topic, each.partition, each.committed);
  }

  #keep(topic: string, partition: number, committed: Placed): void {
    const partitions = this.committed.get(topic) ?? new Map<number, Placed>();
    this.committed.set(topic, partitions);
    if (committed.order >= (partitions.get(partition)?.order ?? 0)) partitions.set(partition, committed);
  }
}
