/**
 * Reads the records of a stored, uncompressed record batch (magic 2), for inspecting topics.
 * Shares no code with the adapters, so that it can check what they wrote.
 */
export type StoredRecord = {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly name: string; readonly value: Buffer | null }[];
};

const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const COMPRESSION_MASK = 7;
const CONTROL_BIT = 32;

/** Offsets of all records of a batch, compressed or not. */
export function offsetsOf(batch: Buffer): number[] {
  const base = Number(batch.readBigInt64BE(0));
  return Array.from({ length: batch.readInt32BE(LAST_OFFSET_DELTA_AT) + 1 }, (_, delta) => base + delta);
}

export function* readRecords(batch: Buffer): Generator<StoredRecord> {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  if ((attributes & CONTROL_BIT) !== 0) return;
  if ((attributes & COMPRESSION_MASK) !== 0) throw new Error('the batch is compressed; this reader takes plain ones');
  const base = Number(batch.readBigInt64BE(0));
  let at = RECORDS_AT;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = batch[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
  };
  const bytes = (): Buffer | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return batch.subarray(at - length, at);
  };
  for (let left = batch.readInt32BE(COUNT_AT); left > 0; left--) {
    const end = varint() + at;
    at++;
    varint();
    const offset = base + varint();
    const key = bytes();
    const value = bytes();
    const headers: { name: string; value: Buffer | null }[] = [];
    for (let more = varint(); more > 0; more--) headers.push({ name: bytes()?.toString('utf8') ?? '', value: bytes() });
    at = end;
    yield { offset, key, value, headers };
  }
}
