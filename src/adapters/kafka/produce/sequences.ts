/**
 * The sequence numbers of one producer id: one per record, from 0, for each partition; after 2³¹ - 1 comes 0 again. Pure.
 *
 * A number advances when what was sent under it is acknowledged, and never goes back: under a number that may have been written,
 * only the same bytes are ever sent.
 */
const SEQUENCES = 2 ** 31;

export class Sequences {
  private readonly byPartition = new Map<number, number>();

  /** Of the first record of the next request. */
  next(partition: number): number {
    return this.byPartition.get(partition) ?? 0;
  }

  passed(partition: number, sequence: number, records: number): void {
    if (sequence !== this.next(partition))
      throw new RangeError(`partition ${partition} is not at sequence ${sequence}`);
    this.byPartition.set(partition, (sequence + records) % SEQUENCES);
  }
}
