/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of Kafka record batches; node:zlib offers only another
 * polynomial. It processes one byte per step, which is fast enough for a demo or a test.
 */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** The checksum of `bytes[from, to)` as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = -1;
  for (let i = from; i < to; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return (crc ^ -1) >>> 0;
}
