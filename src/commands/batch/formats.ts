import { openAvro } from '../../adapters/files/batch/avro-records.ts';
import { avroRows } from '../../adapters/files/batch/avro-rows.ts';
import { openLines } from '../../adapters/files/batch/line-records.ts';
import type { ReadOptions, RecordFile } from '../../adapters/files/batch/records.ts';
import { LINES, type RowFormat } from '../../adapters/files/batch/row-formats.ts';
import { compileAvroSplitter } from '../../codecs/avro-split.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ValueFormat } from '../../plan/topology.ts';

/** What a file of records is, packed or not. */
export type FileFormat = 'jsonl' | 'avro';

const ENDINGS: readonly (readonly [RegExp, FileFormat])[] = [[/\.avro$/i, 'avro']];

/** By the name of the file; JSON Lines where it says nothing. */
export function formatOf(file: string): FileFormat {
  const name = file.replace(/\.(gz|zst)$/i, '');
  return ENDINGS.find(([ending]) => ending.test(name))?.[1] ?? 'jsonl';
}

/** Opens the input, `-` for standard input. */
export async function openInput(
  input: string,
  format: FileFormat,
  _plan: Plan,
  options: ReadOptions,
): Promise<RecordFile> {
  const [file, stdin] = input === '-' ? ['stdin', options.stdin] : [input, undefined];
  const given = { ...options, stdin };
  if (format === 'avro') return openAvro(file, { ...given, splitter: compileAvroSplitter });
  return openLines(file, given);
}

/** What values an output is made of. */
export function valueKindOf(format: FileFormat): ValueFormat['kind'] {
  return format === 'avro' ? 'avro' : 'json';
}

export function rowFormatOf(format: FileFormat, schema: unknown): RowFormat {
  return format === 'avro' ? avroRows(schema, 'deflate') : LINES;
}
