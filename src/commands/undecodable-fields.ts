import { checkConstant } from '../codecs/avro/defaults.ts';
import { isNullable } from '../codecs/avro/fields.ts';
import { wayTo } from '../codecs/avro/paths.ts';
import { type AvroField, parseAvroRecord } from '../codecs/avro/schema.ts';
import type { ColumnWant } from '../codecs/types.ts';
import { SluiceError } from '../kernel/errors.ts';

const MAX_TEXT = 300;

/** The fields that prevent a record from being decoded, each tested alone; empty if the value is no value of its schema at all. */
export function fieldsAtFault(
  wants: readonly ColumnWant[],
  decodes: (wants: readonly ColumnWant[]) => boolean,
): readonly string[] {
  if (!decodes([])) return [];
  return [...new Set(wants.filter((want) => !decodes([want])).map(({ field }) => field))];
}

/**
 * How a field of a JSON value, at path `name`, violates its schema: its value and the expected type, or that it is absent.
 * Undefined if the schema allows it by itself, or if the value is not a JSON object, which others report.
 */
export function misfitOf(json: string, name: string, schema: unknown): string | undefined {
  const way = wayTo(parseAvroRecord(schema), name);
  let value = objectOf(json);
  if (way === undefined || value === undefined) return undefined;
  for (const [depth, field] of way.entries()) {
    const path = way.slice(0, depth + 1).map((step) => step.name);
    if (!Object.hasOwn(value, field.name))
      return field.default === undefined && !isNullable(field.type)
        ? `the value has no "${path.join('.')}", and the schema no default for it`
        : undefined;
    const inner: unknown = value[field.name];
    const isInside = depth < way.length - 1 && isJsonObject(inner);
    if (!isInside) return unfit(field, inner, path.join('.'));
    value = inner;
  }
  return undefined;
}

/** Why a value does not fit a field's type; undefined if it does. */
function unfit(field: AvroField, value: unknown, path: string): string | undefined {
  try {
    checkConstant(field.type, value, path);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    const { message } = thrown;
    return message.length > MAX_TEXT ? `${message.slice(0, MAX_TEXT)}…` : message;
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isJsonObject(value) ? value : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
