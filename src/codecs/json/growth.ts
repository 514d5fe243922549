import type { AvroType } from '../avro/schema.ts';
import { type JsonShape, jsonShape } from './shape.ts';

/**
 * How much a value may grow from plain JSON to Avro's binary encoding (to-avro.ts): `0` is one byte but a double eight, and `{}`
 * may stand for defaults of a thousand bytes.
 *
 * Promise: an upper bound of the bytes of Avro for each byte of JSON, for a value of this type among others, counting the comma
 * after it and its block. The ratio of a sum never exceeds the largest ratio of its parts, so containers have that of their content.
 */
export function growthOfJson(type: AvroType): number {
  return growth(jsonShape(type), 0, new Set());
}

/** A double may be one digit and a comma, and takes eight bytes in a block of one: 4.5. */
const BLOCK = 1;
const COMMA = 1;

function growth(shape: JsonShape, index: number, above: Set<JsonShape>): number {
  const of = (avroBytes: number, jsonBytes: number): number => (avroBytes + index + BLOCK) / (jsonBytes + COMMA);
  switch (shape.type) {
    case 'null':
      return of(0, 'null'.length);
    case 'boolean':
      return of(1, 'true'.length);
    case 'int':
      return Math.max(of(1, 1), of(5, '1e9'.length));
    case 'long':
      return Math.max(of(1, 1), of(10, '9e18'.length));
    case 'float':
      return of(4, 1);
    case 'double':
      return of(8, 1);
    case 'string':
      return Math.max(1, of(1, '""'.length));
    case 'enum':
      return Math.max(1, of(3, '"A"'.length));
    case 'bytes':
    case 'fixed':
      return shape.decimal === undefined ? Math.max(FLOATS, of(5, '[1]'.length)) : decimalGrowth(shape, of);
    case 'union':
      return most(shape.parts.map((part, k) => growth(part, k < 64 ? 1 : 2, above)));
    case 'array':
    case 'map':
      return Math.max(of(1, 1), growth(shape.parts[0], 0, above));
    case 'record': {
      // A nested occurrence of a record is a part whose ratio its outer occurrence covers.
      if (above.has(shape)) return 0;
      above.add(shape);
      const constants = shape.fields.reduce((sum, { constant }) => sum + (constant?.length ?? 0), 0);
      const fields = shape.fields.map((field) => growth(field.shape, 0, above));
      above.delete(shape);
      return most([of(constants, '{}'.length), ...fields]);
    }
  }
}

/** In a list each float32 may be one digit and a comma. */
const FLOATS = 4 / 2;

/** `9e99` has a hundred digits; a fixed takes its full size even for `0`. */
function decimalGrowth({ decimal, size }: JsonShape, of: (avroBytes: number, jsonBytes: number) => number): number {
  if (size >= 0) return of(size, 1);
  const ratios: number[] = [];
  for (let exponentDigits = 0; exponentDigits <= 3; exponentDigits++) {
    const digits = Math.min(decimal?.precision ?? 0, 10 ** exponentDigits);
    const bytes = Math.ceil((digits * Math.log2(10) + 1) / 8);
    ratios.push(of(bytes + (bytes < 64 ? 1 : 2), exponentDigits === 0 ? 1 : 2 + exponentDigits));
  }
  return most(ratios);
}

function most(ratios: readonly number[]): number {
  return Math.max(0, ...ratios);
}
