/**
 * Feature files: TABLE.jsonl or TABLE.jsonl.gz, a row per line, `{"key": "ORD#LGA", FAMILY: {COLUMN: number or number[]}}`.
 *
 * Promise: only requested columns are kept, others (text too) are skipped; a requested column of the wrong width is an error with file
 * and line. A null or absent number is missing, NaN.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ColumnSpec, ViewSpec } from '../../kernel/cells/views.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { linesOf } from './lines.ts';

export const MAX_KEY_BYTES = 4_096;

/** The part of a look-up that says what of a table is asked for. */
export interface TableRead {
  readonly table: string;
  readonly views: readonly ViewSpec[];
}

/** What is asked for of one table, one view per family and encoding, without gaps: how rows lie in memory and in packed cells. */
export interface TableShape {
  readonly views: readonly ViewSpec[];
  readonly rowWidth: number;
}

export interface FeatureRow {
  readonly key: Buffer;
  /** rowWidth numbers, and one entry per view: 1 where any of its numbers is there. Both are used again for the next row. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

type Column = Omit<ColumnSpec, 'offset'>;

/** Puts together all that `reads` ask for of `table`: columns once each, in the order in which they are first named. */
export function shapeOf(table: string, reads: readonly TableRead[]): TableShape {
  const merged = new Map<string, { readonly view: ViewSpec; readonly columns: Map<string, Column> }>();
  for (const read of reads) {
    if (read.table !== table) continue;
    for (const view of read.views) {
      const known = merged.get(cellsOf(view)) ?? { view, columns: new Map<string, Column>() };
      merged.set(cellsOf(view), known);
      for (const { name, kind, width } of view.columns) {
        const same = known.columns.get(name) ?? { name, kind, width };
        if (same.width !== width) {
          throw new SluiceError(
            'topology-invalid',
            `table "${table}": ${view.family}.${name} is asked for with ${same.width} and with ${width} numbers; make them agree`,
          );
        }
        known.columns.set(name, same);
      }
    }
  }
  let offset = 0;
  const place = (column: Column): ColumnSpec => {
    const placed = { ...column, offset };
    offset += column.width;
    return placed;
  };
  const views = [...merged.values()].map(({ view: { family, numbers }, columns }) => ({
    name: family,
    family,
    ...(numbers !== undefined && { numbers }),
    columns: [...columns.values()].map(place),
  }));
  return { views, rowWidth: offset };
}

/** Views that agree in it lie in the same cells, and are written together. */
export function cellsOf({ family, numbers = 'float-le' }: ViewSpec): string {
  return `${numbers} ${family}`;
}

export function featureFileOf(folder: string, table: string): string {
  const names = [`${table}.jsonl`, `${table}.jsonl.gz`];
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (!existsSync(folder))
    throw new SluiceError('file-missing', `there is no folder ${folder}; give one that holds ${names.join(' or ')}`);
  throw new SluiceError('file-missing', `folder ${folder} has neither ${names.join(' nor ')} for table "${table}"`);
}

/** Rows of a file in order; each is valid until the next is asked for. */
export async function* featureRowsOf(file: string, shape: TableShape): AsyncGenerator<FeatureRow> {
  const values = new Float64Array(shape.rowWidth);
  const present = new Uint8Array(shape.views.length);
  const lines = linesOf(file, () => {});
  for (let number = 1; ; number++) {
    const { value: line, done } = await lines.next().catch((error: Error) => {
      throw new SluiceError('file-invalid', `cannot read ${file} after line ${number - 1}: ${error.message}`, error);
    });
    if (done) return;
    if (line.length === 0) continue;
    const fail = (problem: string, cause?: unknown): never => {
      throw new SluiceError('file-invalid', `${file}:${number}: ${problem}`, cause);
    };
    const row = parseRow(line, fail);
    const key = Buffer.from(typeof row.key === 'string' ? row.key : '');
    if (key.length === 0 || key.length > MAX_KEY_BYTES) {
      fail(`"key" must be a text of 1 to ${MAX_KEY_BYTES} bytes`);
    }
    fillRow(row, shape, values, present, fail);
    yield { key, values, present };
  }
}

type Fail = (problem: string, cause?: unknown) => never;

function parseRow(line: Buffer, fail: Fail): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(line.toString('utf8'));
  } catch (error) {
    fail(`not JSON: ${(error as Error).message}`, error);
  }
  if (!isObject(row)) fail('a line must be an object, {"key": …, FAMILY: {COLUMN: number}}');
  return row as Record<string, unknown>;
}

function fillRow(
  row: Record<string, unknown>,
  shape: TableShape,
  values: Float64Array,
  present: Uint8Array,
  fail: Fail,
): void {
  values.fill(Number.NaN);
  present.fill(0);
  shape.views.forEach(({ family, columns }, view) => {
    const cells = Object.hasOwn(row, family) ? row[family] : undefined;
    if (cells === undefined || cells === null) return;
    if (!isObject(cells)) fail(`"${family}" must be an object, {COLUMN: number}`);
    for (const column of columns) {
      const value = Object.hasOwn(cells as object, column.name)
        ? (cells as Record<string, unknown>)[column.name]
        : null;
      if (fillColumn(column, value, values, `${family}.${column.name}`, fail)) present[view] = 1;
    }
  });
}

/** True when at least one number is there. */
function fillColumn(column: ColumnSpec, value: unknown, values: Float64Array, path: string, fail: Fail): boolean {
  if (value === null) return false;
  const { kind, width, offset } = column;
  const numbers = kind === 'vector' ? value : [value];
  if (!Array.isArray(numbers)) return fail(`${path} must be a list of ${width} numbers, it is ${nameOf(value)}`);
  if (numbers.length !== width) return fail(`${path} must have ${width} numbers, it has ${numbers.length}`);
  let any = false;
  numbers.forEach((number, i) => {
    if (number === null) return;
    if (typeof number !== 'number')
      fail(`${path} must be a number, it is ${nameOf(number)}; write a number, or null where there is none`);
    values[offset + i] = number;
    any = true;
  });
  return any;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  if (typeof value === 'string') return `the text "${value.slice(0, 40)}"`;
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
