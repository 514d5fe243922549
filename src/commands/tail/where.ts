import { SluiceError } from '../../kernel/errors.ts';
import type { LogRecord } from '../../ports/topic-log.ts';

/** One `--where`: a field of the value, or a header, compared with a value. */
export interface Where {
  readonly text: string;
  /** Names of nested fields, outermost first; for a header, only its name. */
  readonly path: readonly string[];
  readonly isHeader: boolean;
  holds(record: LogRecord, value: unknown): boolean;
  /** Whether the record has that field or header. */
  isIn(record: LogRecord, value: unknown): boolean;
}

type Test = (found: unknown, wanted: string) => boolean;

type Compare = (a: number | bigint, b: number | bigint) => boolean;

const WHOLE = /^[+-]?\d+$/;

/** Compares integers exactly: longs beyond 2^53 are decoded as text. */
function numbers(found: unknown, wanted: string, compare: Compare): boolean {
  if (typeof found === 'string' && WHOLE.test(found) && WHOLE.test(wanted))
    return compare(BigInt(found), BigInt(wanted));
  return found !== null && found !== '' && Number.isFinite(Number(found)) && compare(Number(found), Number(wanted));
}

const TESTS: Readonly<Record<string, Test>> = {
  '=': same,
  '!=': (found, wanted) => !same(found, wanted),
  '>': (found, wanted) => numbers(found, wanted, (a, b) => a > b),
  '>=': (found, wanted) => numbers(found, wanted, (a, b) => a >= b),
  '<': (found, wanted) => numbers(found, wanted, (a, b) => a < b),
  '<=': (found, wanted) => numbers(found, wanted, (a, b) => a <= b),
  '~': (found, wanted) => textOf(found).includes(wanted),
};

const FORM = 'FIELD=VALUE, FIELD!=VALUE, FIELD<NUMBER (also > <= >=), FIELD~PART or header:NAME=VALUE';

/** `origin=JFK`, `inner.x>=3`, `name=null`, `header:sluice-model=flight-delay@1#…`; throws `usage-invalid`. */
export function parseWhere(text: string): Where {
  const [, name, sign, wanted] = /^(.+?)(!=|<=|>=|=|<|>|~)(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw invalid(text, `is not ${FORM}`);
  if (/[<>]/.test(sign) && (wanted.trim() === '' || !Number.isFinite(Number(wanted)))) {
    throw invalid(text, `compares with "${wanted}", which is no number; ${FORM}`);
  }
  const isHeader = name.startsWith('header:');
  const path = isHeader ? [name.slice('header:'.length)] : name.trim().split('.');
  if (path.some((part) => part === '')) throw invalid(text, `names no field; ${FORM}`);
  const test = TESTS[sign];
  const found = (record: LogRecord, value: unknown): readonly unknown[] =>
    isHeader
      ? record.headers.filter((header) => header.name === path[0]).map((header) => header.value?.toString() ?? null)
      : [fieldOf(value, path)];
  return {
    text,
    path,
    isHeader,
    holds(record, value) {
      const all = found(record, value);
      // A missing header is null, like a missing field.
      return all.length === 0 ? test(undefined, wanted) : all.some((each) => test(each, wanted));
    },
    isIn: (record, value) => found(record, value).some((each) => each !== undefined),
  };
}

function fieldOf(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

function same(found: unknown, wanted: string): boolean {
  if (found === undefined || found === null) return wanted === 'null';
  if (typeof found === 'number') return wanted.trim() !== '' && Number(wanted) === found;
  return textOf(found) === wanted;
}

function textOf(found: unknown): string {
  return typeof found === 'string' ? found : (JSON.stringify(found) ?? '');
}

function invalid(text: string, what: string): SluiceError {
  return new SluiceError('usage-invalid', `--where: "${text}" ${what}`);
}
