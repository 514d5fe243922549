import type { FetchedMessage } from '../client/internals.ts';
import type { Cursor } from './frames.ts';

/** How many records from `at` on lie before `offset`, counted up to `most`. Pure. */
export function countBefore(messages: readonly FetchedMessage[], at: Cursor, offset: number, most: number): number {
  let { message, record } = at;
  let count = 0;
  for (; message < messages.length && count < most; message++) {
    const { records } = messages[message];
    if (records === undefined) {
      if (Number(messages[message].offset) >= offset) break;
      count++;
      continue;
    }
    const { columns, from, to } = records;
    const first = from + record;
    record = 0;
    if (columns.offsets[to - 1] < offset) {
      count += to - first;
      continue;
    }
    let row = first;
    while (columns.offsets[row] < offset) row++;
    count += row - first;
    break;
  }
  return Math.min(count, most);
}
