import { isUtf8 } from 'node:buffer';
import { describe } from '../../codecs/avro/fields.ts';
import { beginRaw, endRaw } from '../../codecs/avro/raw-out.ts';
import type { AvroRecord } from '../../codecs/avro/schema.ts';
import { JsonCursor } from '../../codecs/json/scan.ts';
import { type JsonShape, jsonShape } from '../../codecs/json/shape.ts';
import { writeJsonAsAvro } from '../../codecs/json/to-avro.ts';
import { rawColumn } from '../../kernel/columns.ts';
import { SluiceError } from '../../kernel/errors.ts';

/**
 * A line of JSON → the event in Avro, by the very rules by which events that are JSON are read (docs/reference/types.md). Throws a
 * SluiceError that names the field which does not fit.
 */
export function createAvroLines(record: AvroRecord): (line: Buffer, event: unknown) => Buffer {
  const shape = jsonShape(record);
  const out = rawColumn(1);

  function write(json: Buffer, of: JsonShape): Buffer | undefined {
    const cursor = new JsonCursor(json);
    cursor.start(0, json.length);
    out.used = 0;
    beginRaw(out, 0, json.length);
    const fits = writeJsonAsAvro(cursor, of, out, 0) && cursor.peek() === -1;
    if (!endRaw(out, 0) || !fits || (cursor.nonAscii && !isUtf8(json))) return undefined;
    return Buffer.from(out.bytes.subarray(0, out.used));
  }

  function whyNot(event: unknown): string {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return 'is not a JSON object';
    for (const [i, { name, type }] of record.fields.entries()) {
      const field = shape.fields[i];
      if (!Object.hasOwn(event, name)) {
        if (field.constant === undefined) return `has no "${name}", and the schema has no default for it`;
        continue;
      }
      const json = asJson((event as Record<string, unknown>)[name]);
      if (write(Buffer.from(json), field.shape) === undefined)
        return `${json} is no value for the field "${name}", ${describe(type)}`;
    }
    return 'is no event as the schema describes it';
  }

  return (line, event) => {
    const bytes = write(line, shape);
    if (bytes === undefined) throw new SluiceError('file-invalid', whyNot(event));
    return bytes;
  };
}

/** Of a value whose large integers are BigInt: with all of their digits. */
function asJson(value: unknown): string {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? rawJSON(String(one)) : one));
}
