/**
 * The control batch that ends a producer's transaction in one partition. Its timestamp is that of the batch before it, because the
 * broker has no clock; readers ignore it.
 */
import { crc32c } from './crc32c.ts';

const TRANSACTIONAL_CONTROL = 0x30;
const NO_SEQUENCE = -1;
/** One record: the key is a version and the outcome of the transaction, the value a version and the coordinator's epoch. */
const RECORD = Buffer.from([32, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]);
const HEADER_BYTES = 61;
const COMMITTED_AT = HEADER_BYTES + 8;

export function endMarker(producerId: number, epoch: number, committed: boolean, timestampMs: number): Buffer {
  const batch = Buffer.alloc(HEADER_BYTES + RECORD.length);
  batch.writeInt32BE(batch.length - 12, 8);
  batch[16] = 2; // magic
  batch.writeInt16BE(TRANSACTIONAL_CONTROL, 21);
  batch.writeBigInt64BE(BigInt(timestampMs), 27);
  batch.writeBigInt64BE(BigInt(timestampMs), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(epoch, 51);
  batch.writeInt32BE(NO_SEQUENCE, 53);
  batch.writeInt32BE(1, 57);
  RECORD.copy(batch, HEADER_BYTES);
  batch[COMMITTED_AT] = Number(committed);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}
