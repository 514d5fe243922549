import { isUtf8 } from 'node:buffer';
import { describe } from '../../codecs/avro/fields.ts';
import { recordIn } from '../../codecs/avro/paths.ts';
import { beginRaw, endRaw } from '../../codecs/avro/raw-out.ts';
import type { AvroRecord } from '../../codecs/avro/schema.ts';
import { JsonCursor } from '../../codecs/json/scan.ts';
import { type JsonShape, jsonShape } from '../../codecs/json/shape.ts';
import { writeJsonAsAvro } from '../../codecs/json/to-avro.ts';
import { rawColumn } from '../../kernel/columns.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { isJsonObject, type JsonObject } from '../undecodable-fields.ts';

/**
 * A line of JSON → the event in Avro, by the same rules as for events that are JSON (docs/reference/types.md). Throws a SluiceError
 * that names the field that does not fit.
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

  function whyNot(event: JsonObject, within: AvroRecord, { fields }: JsonShape, before: string): string | undefined {
    for (const [i, { name, type }] of within.fields.entries()) {
      const { constant, shape: own } = fields[i];
      const path = `${before}${name}`;
      if (!Object.hasOwn(event, name)) {
        if (constant === undefined) return `has no "${path}", and the schema has no default for it`;
        continue;
      }
      const value = event[name];
      const json = asJson(value);
      if (write(Buffer.from(json), own) !== undefined) continue;
      const inner = recordIn(type);
      const inside = inner && isJsonObject(value) ? whyNot(value, inner, shapeIn(own), `${path}.`) : undefined;
      return inside ?? `${json} is no value for the field "${path}", ${describe(type)}`;
    }
    return undefined;
  }

  function whyNoEvent(event: unknown): string {
    if (!isJsonObject(event)) return 'is not a JSON object';
    return whyNot(event, record, shape, '') ?? 'is no event as the schema describes it';
  }

  return (line, event) => {
    const bytes = write(line, shape);
    if (bytes === undefined) throw new SluiceError('file-invalid', whyNoEvent(event));
    return bytes;
  };
}

/** JSON with all digits of large integers, which are BigInt in `value`. */
function asJson(value: unknown): string {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? rawJSON(String(one)) : one));
}

/** For a union with one record: that record's. */
function shapeIn(shape: JsonShape): JsonShape {
  return shape.parts.find(({ type }) => type === 'record') ?? shape;
}
