import { SluiceError } from '../kernel/errors.ts';
import { branchesOf, describe, serves, wantedField } from './avro-fields.ts';
import type { AvroField, AvroRecord, AvroType } from './avro-schema.ts';
import type { ColumnWant } from './types.ts';

/**
 * Writer and reader schemas brought together, after "Schema Resolution" of the Avro specification, for the fields that
 * somebody wants; the others are skipped, so whether they fit does not matter. More lenient than the specification in one
 * point: names of records, enums and fixed types are not compared, because producers rarely agree on namespaces.
 */

/** Where the values of a want come from. */
export interface ResolvedWant {
  readonly want: ColumnWant;
  /** The reader's field. */
  readonly field: AvroField;
  /** Position of the field in the writer's record; -1: the writer lacks it and its default stands. */
  readonly writerIndex: number;
}

/** Throws `schema-incompatible` where the writer's values of a wanted field can never be the reader's. */
export function resolveWants(writer: AvroRecord, reader: AvroRecord, wants: readonly ColumnWant[]): ResolvedWant[] {
  return wants.map((want) => {
    const field = wantedField(reader, want);
    const writerIndex = findWriterField(writer, field);
    if (writerIndex < 0) {
      if (field.default !== undefined) return { want, field, writerIndex };
      throw new SluiceError(
        'schema-incompatible',
        `the writer's schema ${writer.name} has no field "${field.name}", and the reader's (${describe(field.type)}) has no default for it`,
      );
    }
    const written = writer.fields[writerIndex].type;
    const fits = branchesOf(written).some((branch) => readAs(branch, field.type, want.kind) !== undefined);
    if (fits) return { want, field, writerIndex };
    throw new SluiceError(
      'schema-incompatible',
      `field "${field.name}": the writer's ${describe(written)} cannot be read as the reader's ${describe(field.type)} (wanted as a ${want.kind})`,
    );
  });
}

function findWriterField(writer: AvroRecord, field: AvroField): number {
  const own = writer.fields.findIndex((candidate) => candidate.name === field.name);
  return own >= 0 ? own : writer.fields.findIndex((candidate) => field.aliases.includes(candidate.name));
}

/**
 * The branch of the reader's type that a value of the writer's type (not a union) becomes: the same type first, then the first
 * that it can be promoted to. Undefined: none, or none that can be an entry of a column of that kind. null stands for missing.
 */
export function readAs(written: AvroType, reader: AvroType, kind: ColumnWant['kind']): AvroType | undefined {
  const branches = branchesOf(reader);
  const chosen =
    branches.find((branch) => branch.type === written.type && promotes(written, branch)) ??
    branches.find((branch) => promotes(written, branch));
  if (chosen === undefined || chosen.type === 'null') return chosen;
  return serves(chosen, kind) ? chosen : undefined;
}

const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

function promotes(written: AvroType, reader: AvroType): boolean {
  if (written.type === 'fixed') return reader.type === 'fixed' && reader.size === written.size;
  if (written.type === 'array') return reader.type === 'array' && promotes(written.items, reader.items);
  if (written.type === 'map' || written.type === 'record') return false;
  if (written.type === reader.type) return true;
  return PROMOTIONS[written.type]?.includes(reader.type) ?? false;
}
