import type { RecordColumns } from '../../../kernel/record-columns.ts';
import { FetchMemory } from '../client/fetch-memory.ts';

export const HEADER_BYTES = 61;
/** Base offset and length field: the length does not count them. */
export const FRONT_BYTES = 12;

const ROWS_A_SET = 4_096;

/** Columns for the batches of one partition, in sets of a few thousand rows or of what one batch needs. */
export class ColumnMemory {
  /** All that were needed. */
  readonly sets: RecordColumns[] = [];
  private readonly usual: number;
  private readonly memory: FetchMemory;
  private columns: RecordColumns | undefined;

  constructor(bytes: Buffer, memory: FetchMemory = new FetchMemory()) {
    this.usual = countIn(bytes, ROWS_A_SET);
    this.memory = memory;
  }

  for(count: number): RecordColumns {
    const { columns } = this;
    if (columns !== undefined && columns.count + count <= columns.capacity) return columns;
    this.columns = this.memory.columnsFor(Math.max(count, this.usual));
    this.sets.push(this.columns);
    return this.columns;
  }
}

/** Number of records that the batch headers announce, up to `most`: an estimate. */
function countIn(bytes: Buffer, most: number): number {
  let count = 0;
  for (let at = 0; at + HEADER_BYTES <= bytes.length && count < most; ) {
    const length = FRONT_BYTES + bytes.readInt32BE(at + 8);
    if (length < HEADER_BYTES) break;
    count += Math.max(0, bytes.readInt32BE(at + 57));
    at += length;
  }
  return Math.min(count, most);
}
