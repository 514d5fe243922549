import type { FileColumn } from '../../adapters/files/batch/cells.ts';
import type { ParquetColumn } from '../../adapters/files/batch/parquet-rows.ts';
import { branchesOf } from '../../codecs/avro/fields.ts';
import { fieldNamed, recordIn } from '../../codecs/avro/paths.ts';
import { type AvroRecord, type AvroType, parseAvroRecord } from '../../codecs/avro/schema.ts';
import { type JsonField, jsonFields } from '../../codecs/json/fields.ts';
import type { ColumnWant } from '../../codecs/types.ts';

const UNITS_PER_DAY: Readonly<Record<string, number>> = {
  date: 1,
  'timestamp-millis': 86_400_000,
  'local-timestamp-millis': 86_400_000,
  'timestamp-micros': 86_400_000_000,
  'local-timestamp-micros': 86_400_000_000,
};

/** The columns that a plan reads from a file, typed by the topology's schema. */
export function columnsOf(schema: unknown, wants: readonly ColumnWant[]): readonly FileColumn[] {
  const record = parseAvroRecord(schema);
  return fileColumns(record, jsonFields(record, wants));
}

function fileColumns(record: AvroRecord, fields: readonly JsonField[]): readonly FileColumn[] {
  return fields.map((field): FileColumn => {
    const type = fieldNamed(record, field.name)?.type;
    const inner = type && recordIn(type);
    const branches = type === undefined ? [] : branchesOf(type);
    const logical = branches.flatMap((branch) => ('logicalType' in branch ? [branch.logicalType ?? ''] : []));
    const unit = logical.find((name) => Object.hasOwn(UNITS_PER_DAY, name));
    return {
      name: field.name,
      nullable: field.nullable,
      optional: field.optional,
      numbers: field.numbers !== 0,
      booleans: field.allowsBoolean,
      text: field.allowsText,
      items: field.items !== 0,
      unitsPerDay: unit === undefined ? undefined : UNITS_PER_DAY[unit],
      fields: inner === undefined ? [] : fileColumns(inner, field.inner),
      isWhole: field.shape !== undefined,
    };
  });
}

const PARQUET: Readonly<Partial<Record<AvroType['type'], ParquetColumn['type']>>> = {
  ...{ boolean: 'BOOLEAN', int: 'INT32', long: 'INT64', float: 'FLOAT', double: 'DOUBLE' },
  ...{ string: 'STRING', enum: 'STRING' },
};

/** The columns of an output, by its schema; types that a column cannot hold are written as JSON. */
export function outputColumnsOf(schema: unknown): readonly ParquetColumn[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => {
    const branches = branchesOf(type);
    return { name, type: (branches.length === 1 ? PARQUET[branches[0].type] : undefined) ?? 'JSON' };
  });
}
