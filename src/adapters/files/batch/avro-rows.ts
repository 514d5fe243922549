import { createHash } from 'node:crypto';
import type { RecordSlab } from '../../../kernel/record-slab.ts';
import { AVRO_MAGIC, PACK, SYNC_BYTES } from './avro-codec.ts';
import type { RowFormat } from './row-formats.ts';

/** Bytes of values that a block is closed at. */
const BLOCK_BYTES = 256 * 1024;

/**
 * Rows as an object container file of Avro: values as they lie, packed block by block, the schema in the header. Rows are
 * gathered to blocks of a quarter of a megabyte; the last one is written by `end`. The marker between blocks is made from the
 * schema, so that the same rows are the same file.
 */
export function avroRows(schema: unknown, codec: keyof typeof PACK): RowFormat {
  const text = Buffer.from(JSON.stringify(schema));
  const sync = createHash('sha256').update('sluice').update(text).digest().subarray(0, SYNC_BYTES);
  let parts: Buffer[] = [];
  let bytes = 0;
  let count = 0;

  async function block(): Promise<Buffer> {
    if (count === 0) return Buffer.alloc(0);
    const values = Buffer.concat(parts, bytes);
    const head = long(count);
    parts = [];
    bytes = 0;
    count = 0;
    const packed = await PACK[codec](values);
    return Buffer.concat([head, long(packed.length), packed, sync]);
  }

  return {
    begin() {
      const entries = { 'avro.schema': text, 'avro.codec': Buffer.from(codec) };
      const meta = Object.entries(entries).flatMap(([key, value]) => [text8(Buffer.from(key)), text8(value)]);
      return Buffer.concat([AVRO_MAGIC, long(meta.length / 2), ...meta, long(0), sync]);
    },
    rows(rows) {
      const values = valuesOf(rows);
      parts.push(values);
      bytes += values.length;
      count += rows.count;
      return bytes < BLOCK_BYTES ? Buffer.alloc(0) : block();
    },
    flush: block,
    end: block,
  };
}

function valuesOf(rows: RecordSlab): Buffer {
  let bytes = 0;
  for (let i = 0; i < rows.count; i++) bytes += rows.valueEnd[i] - rows.valueStart[i];
  const values = Buffer.allocUnsafe(bytes);
  for (let i = 0, at = 0; i < rows.count; i++) at += rows.arena.copy(values, at, rows.valueStart[i], rows.valueEnd[i]);
  return values;
}

function text8(bytes: Buffer): Buffer {
  return Buffer.concat([long(bytes.length), bytes]);
}

/** A number from 0 on, as a long of Avro. */
function long(value: number): Buffer {
  const bytes: number[] = [];
  let left = value * 2;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
  return Buffer.from(bytes);
}
