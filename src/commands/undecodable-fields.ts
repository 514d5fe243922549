import { checkConstant } from '../codecs/avro/defaults.ts';
import { parseAvroRecord } from '../codecs/avro/schema.ts';
import type { ColumnWant } from '../codecs/types.ts';
import { SluiceError } from '../kernel/errors.ts';

const MAX_TEXT = 300;

/** The fields of a record that cannot be decoded, by themselves; none where it is no value of its schema at all. */
export function fieldsAtFault(
  wants: readonly ColumnWant[],
  decodes: (wants: readonly ColumnWant[]) => boolean,
): readonly string[] {
  if (!decodes([])) return [];
  return [...new Set(wants.filter((want) => !decodes([want])).map(({ field }) => field))];
}

/**
 * What a field of a JSON value has that its schema does not allow: the value and the type, or that it is not there.
 * Undefined where the schema allows it by itself, and for what is no JSON object: then it is for others to say what is wrong.
 */
export function misfitOf(json: string, name: string, schema: unknown): string | undefined {
  const field = parseAvroRecord(schema).fields.find((each) => each.name === name);
  const value = objectOf(json);
  if (field === undefined || value === undefined) return undefined;
  if (!Object.hasOwn(value, name))
    return field.default === undefined ? `the value has no "${name}", and the schema no default for it` : undefined;
  try {
    checkConstant(field.type, value[name], name);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    const { message } = thrown;
    return message.length > MAX_TEXT ? `${message.slice(0, MAX_TEXT)}…` : message;
  }
}

function objectOf(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
