import { crc32, deflateRawSync, zstdCompressSync } from 'node:zlib';
import avro from 'avsc';

export type Codec = 'null' | 'deflate' | 'zstandard' | 'snappy';

const PACK: Readonly<Record<Codec, (bytes: Buffer) => Buffer>> = {
  null: (bytes) => bytes,
  deflate: (bytes) => deflateRawSync(bytes),
  zstandard: (bytes) => zstdCompressSync(bytes),
  snappy(bytes) {
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(bytes));
    return Buffer.concat([allLiteral(bytes), crc]);
  },
};

/** A container by the specification, values by avsc: `perBlock` records a block. */
export function container(schema: object, values: readonly unknown[], codec: Codec, perBlock = 100): Buffer {
  const type = avro.Type.forSchema(schema as avro.Schema);
  const sync = Buffer.alloc(16, 7);
  const long = (n: number): Buffer => avro.Type.forSchema('long').toBuffer(n);
  const bytes = (text: string): Buffer => avro.Type.forSchema('string').toBuffer(text);
  const parts = [Buffer.from('Obj\u0001'), long(2)];
  parts.push(bytes('avro.schema'), bytes(JSON.stringify(schema)), bytes('avro.codec'), bytes(codec), long(0), sync);
  for (let at = 0; at < values.length; at += perBlock) {
    const block = values.slice(at, at + perBlock).map((value) => type.toBuffer(value));
    const packed = PACK[codec](Buffer.concat(block));
    parts.push(long(block.length), long(packed.length), packed, sync);
  }
  return Buffer.concat(parts);
}

/** Snappy that has found nothing to copy; up to 64 KiB a literal. */
function allLiteral(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  const length: number[] = [];
  let left = bytes.length;
  for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) | 128);
  parts.push(Buffer.from([...length, left]));
  for (let at = 0; at < bytes.length; at += 65_536) {
    const literal = bytes.subarray(at, at + 65_536);
    const size = literal.length - 1;
    parts.push(Buffer.from([61 << 2, size & 255, size >> 8]), literal);
  }
  return Buffer.concat(parts);
}
