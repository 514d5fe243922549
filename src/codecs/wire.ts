/**
 * The Confluent wire format: a zero byte, the schema id as four bytes big endian, then the Avro value.
 */
export const CONFLUENT_PREFIX_BYTES = 5;

/** The schema id before the value in arena[start..end), or -1 if there is none. */
export function readSchemaId(arena: Buffer, start: number, end: number): number {
  if (start < 0 || end - start < CONFLUENT_PREFIX_BYTES || arena[start] !== 0) return -1;
  const id = (arena[start + 1] << 24) | (arena[start + 2] << 16) | (arena[start + 3] << 8) | arena[start + 4];
  return id < 0 ? -1 : id;
}

/** What an encoder writes before values with a schema id. */
export function confluentPrefix(id: number): Buffer {
  const prefix = Buffer.alloc(CONFLUENT_PREFIX_BYTES);
  prefix.writeInt32BE(id, 1);
  return prefix;
}
