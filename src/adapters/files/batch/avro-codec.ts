import { promisify } from 'node:util';
import { crc32, deflateRaw, inflateRaw, zstdCompress, zstdDecompress } from 'node:zlib';
import { unsnappy } from '../../../kernel/bytes/snappy.ts';

/** Bytes of a block, unpacked; more are an attack or a mistake. */
export const MAX_BLOCK_BYTES = 256 * 1024 * 1024;

const bounded = { maxOutputLength: MAX_BLOCK_BYTES };
const CRC_BYTES = 4;

/** How blocks of a container of Avro are unpacked, by the name that its header gives. */
export const UNPACK: Readonly<Record<string, (block: Buffer) => Promise<Buffer>>> = {
  null: (block) => Promise.resolve(block),
  deflate: (block) => promisify(inflateRaw)(block, bounded) as Promise<Buffer>,
  zstandard: (block) => promisify(zstdDecompress)(block, bounded) as Promise<Buffer>,
  async snappy(block) {
    const packed = block.subarray(0, Math.max(0, block.length - CRC_BYTES));
    const values = await unsnappy(packed, MAX_BLOCK_BYTES);
    if (crc32(values) !== block.readUInt32BE(packed.length)) throw new RangeError('its checksum is another');
    return values;
  },
};

/** How they are packed. */
export const PACK = {
  deflate: (block: Buffer) => promisify(deflateRaw)(block) as Promise<Buffer>,
  zstandard: (block: Buffer) => promisify(zstdCompress)(block) as Promise<Buffer>,
} as const;

export const AVRO_MAGIC = Buffer.from('Obj\u0001', 'latin1');
export const SYNC_BYTES = 16;
