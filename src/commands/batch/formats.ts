import { openAvro } from '../../adapters/files/batch/avro-records.ts';
import { avroRows } from '../../adapters/files/batch/avro-rows.ts';
import { openCsv } from '../../adapters/files/batch/csv-records.ts';
import { csvRows } from '../../adapters/files/batch/csv-rows.ts';
import { openLines } from '../../adapters/files/batch/line-records.ts';
import { openParquet } from '../../adapters/files/batch/parquet-records.ts';
import { parquetRows } from '../../adapters/files/batch/parquet-rows.ts';
import type { ReadOptions, RecordFile } from '../../adapters/files/batch/records.ts';
import { LINES, type RowFormat } from '../../adapters/files/batch/row-formats.ts';
import { compileAvroSplitter } from '../../codecs/avro/split.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ValueFormat } from '../../plan/topology.ts';
import { columnsOf, outputColumnsOf } from './columns.ts';

/** Format of a file of records, compressed or not. */
export type FileFormat = 'jsonl' | 'avro' | 'csv' | 'parquet';

const PACKED = /\.(gz|zst)$/;
const ENDINGS: readonly (readonly [RegExp, FileFormat])[] = [
  [/\.avro$/i, 'avro'],
  [/\.csv$/i, 'csv'],
  [/\.parquet$/i, 'parquet'],
];

/** By file name; JSON Lines if the name does not tell. */
export function formatOf(file: string): FileFormat {
  const name = file.replace(PACKED, '');
  return ENDINGS.find(([ending]) => ending.test(name))?.[1] ?? 'jsonl';
}

/** Opens the input, `-` for standard input. */
export async function openInput(
  input: string,
  format: FileFormat,
  plan: Plan,
  options: ReadOptions,
): Promise<RecordFile> {
  const [file, stdin] = input === '-' ? ['stdin', options.stdin] : [input, undefined];
  const given = { ...options, stdin };
  if (format === 'avro') return openAvro(file, { ...given, splitter: compileAvroSplitter });
  if (format === 'jsonl') return openLines(file, given);
  const columns = columnsOf(plan.topology.source.value.schema, plan.wants);
  if (format === 'csv') return openCsv(file, { ...given, columns });
  if (stdin === undefined && !PACKED.test(file)) return openParquet(file, { ...given, columns });
  throw new SluiceError(
    'usage-invalid',
    `Parquet is read from its end: give --input a file that is not packed, in place of ${stdin ? 'standard input' : file}`,
  );
}

/** Encoding of the values that an output format takes. */
export function valueKindOf(format: FileFormat): ValueFormat['kind'] {
  return format === 'avro' ? 'avro' : 'json';
}

export function rowFormatOf(format: FileFormat, schema: unknown): RowFormat {
  if (format === 'avro') return avroRows(schema, 'deflate');
  if (format === 'jsonl') return LINES;
  const columns = outputColumnsOf(schema);
  return format === 'csv' ? csvRows(columns.map(({ name }) => name)) : parquetRows(columns);
}
