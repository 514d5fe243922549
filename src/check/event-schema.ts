import { type FieldSummary, fieldsOf, summaryOf } from '../codecs/avro/fields.ts';
import { fieldAt, insteadOf, pathsOf, whyNoField } from '../codecs/avro/paths.ts';
import { type AvroField, type AvroRecord, parseAvroRecord } from '../codecs/avro/schema.ts';
import { didYouMean } from '../documents/did-you-mean.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import type { EventField, EventFields } from '../features/types.ts';

/** An .avsc as the checks need it: its tree, its fields by name, and their places in the file. */
export interface RecordSchema {
  readonly record: AvroRecord;
  readonly fields: ReadonlyMap<string, FieldSummary>;
  readonly document: YamlDocument;
}

const WHOLE = 'a value needs an Avro record schema: { "type": "record", "name": …, "fields": […] }';
const ONE_FIELD =
  'correct the type of this field: { "name": …, "type": "double" }, or ["null", "double"] if it may be missing';

/** Reads a schema; one that is not an Avro record becomes a finding in its file. */
export function readRecordSchema(
  schema: unknown,
  document: YamlDocument,
  findings: CheckFinding[],
): RecordSchema | undefined {
  try {
    const fields = new Map(fieldsOf(schema).map((field) => [field.name, field]));
    return { record: parseAvroRecord(schema), fields, document };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const path = placeIn(schema, message);
    const remedy = / is a second field /.test(message) ? 'rename or remove one of the two' : ONE_FIELD;
    findings.push(document.at(path, message, path.length > 0 ? remedy : WHOLE));
    return undefined;
  }
}

/** A field's place in its file: `schemas/x.avsc:8:15`. */
export function placeOf({ record, document }: RecordSchema, field: string): string {
  const index = record.fields.findIndex((candidate) => candidate.name === field);
  const { line, column } = document.locate(['fields', index]);
  return `${document.file}:${line}:${column}`;
}

/** What `event.x` and `event.x.y` mean in expressions. Fields that cannot be columns are included, so that findings can say so. */
export function eventScope(record: AvroRecord): EventFields {
  return {
    get(path) {
      const field = fieldAt(record, path);
      return field && eventField(field);
    },
    keys: () => pathsOf(record),
    why(path) {
      const { message, remedy, isFirst } = noField(record, path, 'event.');
      return isFirst ? undefined : { message: `event.${message}`, remedy };
    },
  };
}

/**
 * Why a path leads to no field, and what to do; `prefix` is put before field names in messages. `isFirst`: already its first name
 * is not a field; `what` names the record in that message.
 */
export function noField(
  record: AvroRecord,
  path: string,
  prefix: string,
  what = 'the event',
): { readonly message: string; readonly remedy: string; readonly isFirst: boolean } {
  const { message, wrong, known, remedy } = whyNoField(record, path, what);
  const isFirst = known.length > 0 && !wrong.includes('.');
  if (known.length === 0) return { message, remedy, isFirst };
  const names = known.map((name) => `${prefix}${name}`);
  return {
    message: `${message}${didYouMean(`${prefix}${wrong}`, names)}`,
    remedy: `its fields are ${names.join(', ')}`,
    isFirst,
  };
}

function eventField(field: AvroField): EventField {
  const { kind, nullable, width, parts, avroType, logicalType } = summaryOf(field);
  const as = kind === 'long' ? 'number' : kind === 'other' ? (parts.length > 0 ? 'mixed' : 'none') : kind;
  const instead = as === 'none' ? insteadOf(field.type) : undefined;
  return { kind: as, nullable, width, parts, avroType, ...(logicalType !== undefined && { logicalType }), instead };
}

/** The schema parser names the bad part as `schema.fields[2]` or `schema.FIELD`: that field's path, or the whole file's. */
function placeIn(schema: unknown, message: string): (string | number)[] {
  const [, index, name] = /schema\.(?:fields\[(\d+)\]|([A-Za-z_][A-Za-z0-9_]*))/.exec(message) ?? [];
  if (index !== undefined) return ['fields', Number(index)];
  const fields = (schema as { fields?: unknown } | null)?.fields;
  const found = Array.isArray(fields) ? fields.findIndex((field) => field?.name === name) : -1;
  return found >= 0 ? ['fields', found] : [];
}
