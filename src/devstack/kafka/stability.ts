/**
 * What readers of committed records need to know about a partition: where the first open transaction begins, which is as far as they
 * may read, and where the aborted ones are, which they skip themselves.
 */
export type Aborted = { readonly producerId: number; readonly first: number; readonly marker: number };

export class Stability {
  /** First offset of the open transaction of each producer. */
  readonly #open = new Map<number, number>();
  /** In order of their ends, as in Kafka. */
  readonly #aborted: Aborted[] = [];

  wrote(producerId: number, offset: number): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, offset);
  }

  ended(producerId: number, marker: number, committed: boolean): void {
    const first = this.#open.get(producerId);
    this.#open.delete(producerId);
    if (first !== undefined && !committed) this.#aborted.push({ producerId, first, marker });
  }

  isOpen(producerId: number): boolean {
    return this.#open.has(producerId);
  }

  /** Where the first open transaction begins; `end` where none is open. */
  stableOffset(end: number): number {
    return Math.min(end, ...this.#open.values());
  }

  /** Aborted transactions with records in `[from, below)`. */
  aborted(from: number, below: number): Aborted[] {
    return this.#aborted.filter(({ first, marker }) => marker >= from && first < below);
  }

  isAborted(producerId: number, offset: number): boolean {
    return this.aborted(offset, offset + 1).some((each) => each.producerId === producerId);
  }
}
