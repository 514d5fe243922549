import { SluiceError } from '../../../kernel/errors.ts';
import { readUnpacked } from '../unpacked.ts';
import { AVRO_MAGIC, MAX_BLOCK_BYTES, SYNC_BYTES, UNPACK } from './avro-codec.ts';
import { ByteReader } from './byte-reader.ts';
import type { ReadOptions, RecordFile } from './records.ts';

export interface AvroReadOptions extends ReadOptions {
  /** For a writer's schema, what finds the end of the value at `at`; -1 where there is none. */
  readonly splitter: (writer: unknown) => (bytes: Buffer, at: number, end: number) => number;
}

/** Records handed over at a time. */
const RUN_RECORDS = 512;
const MAX_META_BYTES = 16 * 1024 * 1024;
const MAX_META_ENTRIES = 10_000;
const MAX_BLOCK_RECORDS = 2 ** 31;

/**
 * An object container file of Avro: header read at once, values handed over as they lie in its blocks, no object but its slice a value.
 *
 * Promise: any bytes end as records or as `file-failed` that names the place; one block is in memory, MAX_BLOCK_BYTES at most.
 * Offsets count records from 0. A value larger than the credit is handed over by its length.
 */
export async function openAvro(file: string, options: AvroReadOptions): Promise<RecordFile> {
  const { maxValueBytes, splitter } = options;
  const ending = new AbortController();
  const reader = new ByteReader(file, readUnpacked(file, { ...options, signal: ending.signal }));
  const meta = await readHeader(reader, file);
  const codec = meta.get('avro.codec')?.toString('utf8') ?? 'null';
  const unpack = Object.hasOwn(UNPACK, codec) ? UNPACK[codec] : undefined;
  if (unpack === undefined) {
    const known = Object.keys(UNPACK).join(', ');
    throw new SluiceError(
      'file-invalid',
      `${file} is packed as ${codec}; ${known} can be read: write it with one of them`,
    );
  }
  const writer = schemaOf(meta.get('avro.schema'), file);
  const valueEnd = splitter(writer);
  const sync = Buffer.from(await reader.take(SYNC_BYTES));

  async function unpacked(block: Buffer, number: number): Promise<Buffer> {
    try {
      return (await unpack?.(block)) as Buffer;
    } catch (thrown) {
      throw reader.malformed(`its block ${number} cannot be unpacked as ${codec}: ${(thrown as Error).message}`);
    }
  }

  return {
    writer,
    async *runs(signal) {
      const giveUp = (): void => ending.abort();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        let record = 0;
        for (let block = 0; !(await reader.atEnd()); block++) {
          const count = await reader.long(`the count of block ${block}`, MAX_BLOCK_RECORDS);
          const size = await reader.long(`the size of block ${block}`, MAX_BLOCK_BYTES);
          if (count < 0 || size < 0) throw reader.malformed(`block ${block} has a negative count or size`);
          const bytes = await unpacked(await reader.take(size), block);
          if (!(await reader.take(SYNC_BYTES)).equals(sync)) {
            throw reader.malformed(`block ${block} does not end with the marker of the file: it is damaged`);
          }
          let at = 0;
          let offsets: number[] = [];
          let values: (Buffer | number)[] = [];
          for (let i = 0; i < count; i++) {
            const end = valueEnd(bytes, at, bytes.length);
            if (end < 0) throw reader.malformed(`record ${record} is not a value of the schema in its header`);
            offsets.push(record++);
            values.push(end - at > maxValueBytes ? end - at : bytes.subarray(at, end));
            at = end;
            if (values.length < RUN_RECORDS) continue;
            yield { offsets, values };
            offsets = [];
            values = [];
          }
          if (at < bytes.length)
            throw reader.malformed(`block ${block} has ${bytes.length - at} bytes behind its records`);
          if (values.length > 0) yield { offsets, values };
        }
      } finally {
        signal.removeEventListener('abort', giveUp);
        await reader.close();
      }
    },
  };
}

async function readHeader(reader: ByteReader, file: string): Promise<Map<string, Buffer>> {
  if ((await reader.atEnd()) || !(await reader.take(AVRO_MAGIC.length)).equals(AVRO_MAGIC)) {
    throw new SluiceError(
      'file-invalid',
      `${file} is no object container file of Avro (it does not begin with Obj1); name what it is with --input-format`,
    );
  }
  const meta = new Map<string, Buffer>();
  for (;;) {
    let count = await reader.long('a count in its header', MAX_META_ENTRIES);
    if (count === 0) return meta;
    if (count < 0) {
      await reader.long('a size in its header', MAX_META_BYTES);
      count = -count;
    }
    for (let i = 0; i < count; i++) {
      const key = (await reader.take(await length(reader))).toString('utf8');
      meta.set(key, Buffer.from(await reader.take(await length(reader))));
    }
  }
}

async function length(reader: ByteReader): Promise<number> {
  const bytes = await reader.long('a length in its header', MAX_META_BYTES);
  if (bytes < 0) throw reader.malformed('a length in its header is negative');
  return bytes;
}

function schemaOf(text: Buffer | undefined, file: string): unknown {
  if (text === undefined) throw new SluiceError('file-invalid', `${file} has no avro.schema in its header`);
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (thrown) {
    throw new SluiceError('file-invalid', `the avro.schema in the header of ${file} is not JSON`, thrown);
  }
}
