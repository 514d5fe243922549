import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { unsnappy } from '../../../kernel/bytes/snappy.ts';
import { unlz4 } from './lz4.ts';

/**
 * Bounded decompression of record batches: a batch of 500 KB can inflate to 500 MB → one record batch kills the process →
 * inflation stops at a bound, and the records of the batch come by reference (read.ts), without bodies.
 *
 * gzip and zstd use node:zlib, snappy and LZ4 our own decoders. What the pipeline writes is not compressed.
 */
export const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/** `beyond`: the output exceeds the bound; otherwise the bytes are not valid for the codec. */
export class CodecError extends Error {
  readonly beyond: boolean;
  /** The client takes anything without `false` here for worth a retry. */
  readonly retriable = false;

  constructor(message: string, beyond: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CodecError';
    this.beyond = beyond;
  }
}

type Bounded = (bytes: Buffer, maxBytes: number) => Promise<Buffer>;

interface Codec {
  readonly name: string;
  readonly inflate: Bounded;
}

const inflateGzip = promisify(gunzip) as (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;
const inflateZstd = promisify(zstdDecompress) as typeof inflateGzip;

/** By the number in a batch's attributes; 0 is none. */
const CODECS: ReadonlyMap<number, Codec> = new Map([
  [1, { name: 'gzip', inflate: (bytes, maxOutputLength) => inflateGzip(bytes, { maxOutputLength }) }],
  [2, { name: 'snappy', inflate: unsnappy }],
  [3, { name: 'lz4', inflate: unlz4 }],
  [4, { name: 'zstd', inflate: (bytes, maxOutputLength) => inflateZstd(bytes, { maxOutputLength }) }],
] satisfies [number, Codec][]);

/** Rejects with a CodecError. */
export async function inflate(codec: number, bytes: Buffer, maxBytes: number = MAX_INFLATED_BYTES): Promise<Buffer> {
  const known = CODECS.get(codec);
  if (known === undefined) throw new CodecError(`is compressed with codec ${codec}, which nobody knows`, false);
  try {
    return await known.inflate(bytes, maxBytes);
  } catch (thrown) {
    const beyond = (thrown as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    const why = beyond ? `inflates to more than ${maxBytes} bytes` : `is not valid ${known.name}`;
    throw new CodecError(why, beyond, thrown);
  }
}

/**
 * Puts the codecs into the client's own table, for message sets of brokers before 0.11 and for other users of the client in this
 * process. Idempotent.
 */
export function installCodecs(): void {
  const table: Record<number, () => object> = kafkajs.CompressionCodecs;
  const write = new Map([
    [CompressionTypes.GZIP, promisify(gzip) as Write],
    [CompressionTypes.ZSTD, promisify(zstdCompress) as Write],
  ]);
  for (const id of CODECS.keys()) {
    const compress = async ({ buffer }: { buffer: Buffer }) => (write.get(id) ?? refuse)(buffer);
    table[id] = () => ({ compress, decompress: (bytes: Buffer) => inflate(id, bytes) });
  }
}

type Write = (bytes: Buffer) => Promise<Buffer>;

async function refuse(): Promise<never> {
  throw new CodecError('cannot be compressed with this codec: it is only read', false);
}
