import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { varintLength, writeVarint } from '../../kernel/headers.ts';

/**
 * Codecs of record batches, bounded: a batch of 500 KB can inflate to 500 MB → the process dies of one record
 * batch → inflation stops at MAX_INFLATED_BYTES, and the batch's records come by reference, their bodies left behind.
 *
 * gzip and zstd are read with node:zlib. Snappy and LZ4 are refused with an error that names them.
 * The client keeps its codecs in one table a process, so the bound is a constant, not an option.
 */
export const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/** More records than this the client cannot read from one batch anyway. */
const MAX_RECORDS = 100_000;
const leftBehind = new WeakSet<ArrayBufferLike>();

/** Thrown inside the client's fetch; the source finds out which partition it was and says so. */
export class CodecError extends Error {
  readonly codec: string;
  /** The client takes anything without `false` here for worth a retry. */
  readonly retriable = false;

  constructor(codec: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CodecError';
    this.codec = codec;
  }
}

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

type Inflate = (bytes: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>;

export function boundedCodec(
  name: string,
  deflate: (bytes: Buffer) => Promise<Buffer>,
  inflate: Inflate,
  maxBytes: number = MAX_INFLATED_BYTES,
): Codec {
  return {
    compress: (encoder) => deflate(encoder.buffer),
    async decompress(bytes) {
      try {
        return await inflate(bytes, { maxOutputLength: maxBytes });
      } catch (thrown) {
        const code = (thrown as { code?: string }).code;
        const standIn = code === 'ERR_BUFFER_TOO_LARGE' ? standInFor(bytes) : undefined;
        if (standIn !== undefined) return standIn;
        const why =
          code === 'ERR_BUFFER_TOO_LARGE'
            ? `inflates to more than ${maxBytes} bytes`
            : `is not valid ${name} (${code})`;
        throw new CodecError(name, `a record batch of ${bytes.length} bytes ${why}`, thrown);
      }
    },
  };
}

/** True for the value of a record whose batch inflates beyond the bound. No producer can make one up. */
export function isLeftBehind(value: Buffer | null): boolean {
  return value !== null && leftBehind.has(value.buffer);
}

/**
 * Records in place of those that are left behind: as many, at the batch's first offsets, each with a value of one byte
 * in memory that is remembered. Throwing instead would stop the partition for good, and let one batch end the process.
 * After compaction the offsets in between are not known; then some references name a neighbour.
 */
function standInFor(bytes: Buffer): Buffer | undefined {
  // The client hands over the end of a record batch; the number of its records lies right before.
  if (bytes.byteOffset < 4) return undefined;
  const count = new DataView(bytes.buffer, bytes.byteOffset - 4, 4).getInt32(0);
  if (count < 1 || count > MAX_RECORDS) return undefined;
  const records = Buffer.allocUnsafeSlow(count * 12);
  leftBehind.add(records.buffer);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at = writeVarint(records, at, 6 + varintLength(i));
    records[at++] = 0; // attributes
    records[at++] = 0; // timestamp: that of the batch
    at = writeVarint(records, at, i);
    at = writeVarint(records, at, -1); // no key
    at = writeVarint(records, at, 1);
    records[at++] = 0;
    records[at++] = 0; // no headers
  }
  return records.subarray(0, at);
}

function refusedCodec(name: string): Codec {
  const refuse = async (): Promise<Buffer> => {
    throw new CodecError(name, `a record batch is compressed with ${name}, which is not supported`);
  };
  return { compress: refuse, decompress: refuse };
}

/** Puts the codecs into the client's table. Idempotent. */
export function installCodecs(): void {
  const table: Record<number, () => Codec> = kafkajs.CompressionCodecs;
  const gzipCodec = boundedCodec(
    'gzip',
    promisify(gzip) as (bytes: Buffer) => Promise<Buffer>,
    promisify(gunzip) as Inflate,
  );
  const zstdCodec = boundedCodec(
    'zstd',
    promisify(zstdCompress) as (bytes: Buffer) => Promise<Buffer>,
    promisify(zstdDecompress) as Inflate,
  );
  const snappy = refusedCodec('snappy');
  const lz4 = refusedCodec('lz4');
  table[CompressionTypes.GZIP] = () => gzipCodec;
  table[CompressionTypes.ZSTD] = () => zstdCodec;
  table[CompressionTypes.Snappy] = () => snappy;
  table[CompressionTypes.LZ4] = () => lz4;
}
