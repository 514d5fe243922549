import { SluiceError } from '../../../kernel/errors.ts';

/** A field that is wanted of rows in columns, and what the schema lets it be. */
export interface FileColumn {
  readonly name: string;
  readonly nullable: boolean;
  /** It may be absent. */
  readonly optional: boolean;
  readonly numbers: boolean;
  readonly booleans: boolean;
  readonly text: boolean;
  /** A list of numbers. */
  readonly items: boolean;
  /** Of a number that is a time: how many of its units a day has; undefined where it is none. */
  readonly unitsPerDay: number | undefined;
  /** Of a record: what is wanted of it. */
  readonly fields: readonly FileColumn[];
  /** All of it goes on. */
  readonly isWhole: boolean;
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const BOOLEAN = /^(true|false)$/i;

/**
 * A cell of text as JSON, undefined where it says nothing. Empty is null, or text where null is not allowed and text is. What
 * is not of the type stays text, which the decoder refuses.
 */
export function cellJson(column: FileColumn, cell: string): string | undefined {
  if (cell === '') return column.nullable ? 'null' : column.text ? '""' : undefined;
  if (column.numbers && NUMBER.test(cell)) return JSON_NUMBER.test(cell) ? cell : JSON.stringify(Number(cell));
  if (column.booleans && BOOLEAN.test(cell)) return cell.toLowerCase();
  if (column.items && isList(cell)) return cell;
  return JSON.stringify(cell);
}

function isList(cell: string): boolean {
  if (!cell.startsWith('[')) return false;
  try {
    return Array.isArray(JSON.parse(cell));
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return false;
    throw thrown;
  }
}

/** `members` as a JSON object; a member without a value is left out. */
export function objectText(columns: readonly FileColumn[], jsonOf: (index: number) => string | undefined): string {
  let json = '';
  for (let k = 0; k < columns.length; k++) {
    const value = jsonOf(k);
    if (value !== undefined) json += `${json === '' ? '' : ','}${JSON.stringify(columns[k].name)}:${value}`;
  }
  return `{${json}}`;
}

/** Throws where the file lacks a column that every record must have: all of them would be dead letters. */
export function checkColumns(file: string, columns: readonly FileColumn[], present: readonly string[]): void {
  const missing = columns.filter(({ name, optional }) => !optional && !present.includes(name)).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new SluiceError(
    'file-invalid',
    `${file} has no column ${missing.join(', ')}, which the topology needs; it has ${present.join(', ') || 'none'}: rename or add it, or give the field of the schema a default`,
  );
}
