import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { SluiceError } from '../../../kernel/errors.ts';
import { checkColumns, type FileColumn, objectText } from './cells.ts';
import type { ReadOptions, RecordFile } from './records.ts';

export interface ParquetReadOptions extends ReadOptions {
  readonly columns: readonly FileColumn[];
}

/** A time, in microseconds since 1970. */
class Instant {
  readonly micros: bigint;
  constructor(micros: bigint) {
    this.micros = micros;
  }
}

const DAY_MICROS = 86_400_000_000n;
const PARSERS = {
  timestampFromMilliseconds: (ms: bigint) => new Instant(ms * 1000n),
  timestampFromMicroseconds: (us: bigint) => new Instant(us),
  timestampFromNanoseconds: (ns: bigint) => new Instant(ns / 1000n),
  dateFromDays: (days: number) => new Instant(BigInt(days) * DAY_MICROS),
};
const RUN_RECORDS = 1024;

/**
 * Parquet: a row becomes a JSON object of the columns that are wanted, others are not read. The offset counts rows from 0.
 *
 * One row group's wanted columns are in memory. Nulls and values that are not finite are null. Times become numbers in the unit
 * of the schema's logical type, milliseconds without one, or ISO text where the schema wants text.
 */
export async function openParquet(file: string, options: ParquetReadOptions): Promise<RecordFile> {
  const { columns, maxValueBytes, onProgress } = options;
  const buffer = await asyncBufferFromFile(file);
  const metadata = await metadataOf(file, () => parquetMetadataAsync(buffer));
  const root = metadata.schema.length > 0 ? treeOf(metadata) : { name: '', children: [] };
  checkTree(file, columns, root);
  const present = namesIn(root);
  const wanted = columns.filter(({ name }) => present.includes(name));

  return {
    writer: undefined,
    async *runs(signal) {
      let rowStart = 0;
      for (const [group, { num_rows }] of metadata.row_groups.entries()) {
        const rowEnd = rowStart + Number(num_rows);
        const rows = await metadataOf(`${file}, row group ${group}`, () =>
          parquetReadObjects({
            file: buffer,
            metadata,
            rowStart,
            rowEnd,
            columns: wanted.map(({ name }) => name),
            compressors,
            parsers: PARSERS,
          }),
        );
        onProgress(Math.round((buffer.byteLength * (group + 1)) / metadata.row_groups.length));
        for (let at = 0; at < rows.length && !signal.aborted; at += RUN_RECORDS) {
          const some = rows.slice(at, at + RUN_RECORDS);
          const first = rowStart + at;
          yield {
            offsets: some.map((_, i) => first + i),
            values: some.map((row) => {
              const json = Buffer.from(objectText(wanted, (k) => valueJson(wanted[k], row[wanted[k].name])));
              return json.length > maxValueBytes ? json.length : json;
            }),
          };
        }
        rowStart = rowEnd;
      }
    },
  };
}

async function metadataOf<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    throw new SluiceError('file-failed', `cannot read ${what} as Parquet: ${(thrown as Error).message}`, thrown);
  }
}

/** A column, or a struct of columns. */
interface Branch {
  readonly name: string;
  readonly children: readonly Branch[];
}

/** The schema is a list, depth first. */
function treeOf({ schema }: FileMetaData): Branch {
  let next = 0;
  const branch = (): Branch => {
    const { name, num_children: count = 0 } = schema[next++];
    return { name, children: Array.from({ length: count }, branch) };
  };
  return branch();
}

const namesIn = ({ children }: Branch): string[] => children.map(({ name }) => name);

function checkTree(file: string, columns: readonly FileColumn[], branch: Branch, before = ''): void {
  const named = (name: string) => `${before}${name}`;
  const at = columns.map((column) => ({ ...column, name: named(column.name) }));
  checkColumns(file, at, namesIn(branch).map(named));
  for (const { name, fields } of columns) {
    const inner = branch.children.find((child) => child.name === name);
    if (inner !== undefined && inner.children.length > 0) checkTree(file, fields, inner, `${named(name)}.`);
  }
}

function valueJson(column: FileColumn, value: unknown): string | undefined {
  if (value === null || value === undefined) return column.nullable ? 'null' : undefined;
  if (value instanceof Instant) {
    if (!column.numbers) return isoText(value);
    const perDay = BigInt(column.unitsPerDay ?? 86_400_000);
    return String(floored(value.micros * perDay, DAY_MICROS));
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return column.nullable ? 'null' : undefined;
  const { fields, isWhole } = column;
  if (fields.length > 0 && !isWhole && isStruct(value)) {
    return objectText(fields, (k) => valueJson(fields[k], value[fields[k].name]));
  }
  return plain(value);
}

function isStruct(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Array.isArray(value);
}

/** As JSON, whatever it is: of structs and lists all of it. */
function plain(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Instant) return isoText(value);
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    return `[${Array.from(value as ArrayLike<unknown>, plain).join(',')}]`;
  }
  if (!isStruct(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${plain(member)}`);
  return `{${members.join(',')}}`;
}

function isoText({ micros }: Instant): string {
  return JSON.stringify(new Date(Number(micros / 1000n)).toISOString());
}

function floored(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}
