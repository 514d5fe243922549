import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { SluiceError } from '../../../kernel/errors.ts';
import { readUnpacked } from '../unpacked.ts';
import { cellJson, checkColumns, type FileColumn, objectText } from './cells.ts';
import type { ReadOptions, RecordFile, RecordRun } from './records.ts';

export interface CsvReadOptions extends ReadOptions {
  readonly columns: readonly FileColumn[];
}

/** What the parser hands over: a row, or text that is none. */
type Parsed =
  | { readonly record: readonly string[]; readonly raw: string; readonly info: { readonly lines: number } }
  | { readonly bad: string; readonly lines: number };

const RUN_RECORDS = 256;

/**
 * CSV (RFC 4180, UTF-8, either line end) with a header line: a row becomes a JSON object of the columns that are wanted.
 *
 * The offset is the number of the line that the row begins on, from 0. A row of another width, or with quotes that make no
 * sense, is handed over as its text, which is no JSON and so a dead letter. Blank lines are skipped. A row longer than the
 * credit ends there.
 */
export function openCsv(file: string, options: CsvReadOptions): RecordFile {
  const { columns, maxValueBytes } = options;
  refuseRecords(file, columns);

  async function* rows(signal: AbortSignal): AsyncGenerator<Parsed> {
    const parser = parse({
      ...{ bom: true, info: true, raw: true, relax_column_count: true, record_delimiter: ['\r\n', '\n'] },
      ...{ max_record_size: maxValueBytes, skip_records_with_error: true },
      // In line with the rows before and behind it.
      on_skip: (error, raw) => void parser.push({ bad: raw ?? '', lines: Number(error?.lines ?? 0) }),
    });
    const bytes = Readable.from(readUnpacked(file, { ...options, signal }), { objectMode: false });
    pipeline(bytes, parser, () => undefined);
    yield* parser as AsyncIterable<Parsed>;
  }

  return {
    writer: undefined,
    async *runs(signal) {
      let header: readonly string[] | undefined;
      let places: number[] = [];
      let line = 0;
      let last = -1;
      let run = emptyRun();
      for await (const row of rows(signal)) {
        const at = Math.max(line, last + 1);
        if ('bad' in row) {
          line = row.lines;
          if (header === undefined)
            throw new SluiceError('file-invalid', `${file} begins with no header line: its quotes make no sense`);
        } else {
          line = row.info.lines;
          if (row.raw.trim() === '') continue;
          if (header === undefined) {
            header = row.record;
            places = placesOf(file, header, columns);
            continue;
          }
        }
        last = at;
        run.offsets.push(at);
        run.values.push(recordOf(row, header, columns, places));
        if (run.offsets.length < RUN_RECORDS) continue;
        yield run;
        run = emptyRun();
      }
      if (header === undefined) throw new SluiceError('file-invalid', `${file} has no header line: it is empty`);
      if (run.offsets.length > 0) yield run;
    },
  };
}

/** A cell is no record, and which columns make one nothing says. */
function refuseRecords(file: string, columns: readonly FileColumn[]): void {
  const inside = columns.filter(({ fields }) => fields.length > 0).flatMap((column) => pathsIn(column, 'event.'));
  if (inside.length === 0) return;
  throw new SluiceError(
    'usage-invalid',
    `${file} is CSV, in which there are no records inside of a record, and the topology reads ${inside.join(', ')}: give JSON Lines, Avro or Parquet`,
  );
}

function pathsIn({ name, fields }: FileColumn, before: string): readonly string[] {
  const path = `${before}${name}`;
  return fields.length === 0 ? [path] : fields.flatMap((field) => pathsIn(field, `${path}.`));
}

interface Run extends RecordRun {
  readonly offsets: number[];
  readonly values: (Buffer | number)[];
}

function emptyRun(): Run {
  return { offsets: [], values: [] };
}

/** Column → its place in a row, -1 where the file does not have it. */
function placesOf(file: string, header: readonly string[], columns: readonly FileColumn[]): number[] {
  const twice = header.find((name, i) => header.indexOf(name) < i && columns.some((column) => column.name === name));
  if (twice !== undefined) throw new SluiceError('file-invalid', `${file} has two columns ${twice}; rename one`);
  checkColumns(file, columns, header);
  return columns.map(({ name }) => header.indexOf(name));
}

function recordOf(
  row: Parsed,
  header: readonly string[],
  columns: readonly FileColumn[],
  places: readonly number[],
): Buffer {
  if ('bad' in row) return Buffer.from(row.bad);
  const { record, raw } = row;
  if (record.length !== header.length) return Buffer.from(raw.replace(/\r?\n?$/, ''));
  return Buffer.from(objectText(columns, (k) => (places[k] < 0 ? undefined : cellJson(columns[k], record[places[k]]))));
}
