import { SluiceError } from '../../../kernel/errors.ts';
import type { RecordSlab } from '../../../kernel/record-slab.ts';

/** The least bytes that a record adds to its batch, and that a batch adds to its records. */
const RECORD_OVERHEAD = 7;
const BATCH_OVERHEAD = 61;

/** Throws `record-too-large` if these rows, as one batch, certainly exceed the topic's limit, so that the broker need not be asked. */
export function checkSize(topic: string, rows: RecordSlab, maxBytes: number): void {
  let bytes = BATCH_OVERHEAD;
  if (rows.isBatch) bytes += rows.used;
  else for (let i = 0; i < rows.count; i++) bytes += RECORD_OVERHEAD + rows.rowBytes(i);
  if (bytes <= maxBytes) return;
  throw new SluiceError(
    'record-too-large',
    `${rows.count} rows of at least ${bytes} bytes do not fit into topic "${topic}", which takes ${maxBytes} a batch: send fewer, or raise max.message.bytes`,
  );
}
