import type { Column } from '../kernel/columns.ts';
import { SluiceError } from '../kernel/errors.ts';
import { MAX_LONG_DIGITS, writeInteger, writeLongDigits } from './digits.ts';
import type { KeyPart, KeyTemplate } from './types.ts';

/** Longest key that is written; a longer one counts as missing. */
export const MAX_KEY_BYTES = 4_096;

const PIECE = /\{\{|\}\}|\{([^{}]*)\}|[^{}]+|[{}]/g;

/**
 * Parses `{origin}#{destination}`: text, and fields in braces; `{{` and `}}` stand for a brace.
 * `slotOf` gives the column of a field, or throws if it does not exist. Throws `topology-invalid` for text that is not a template.
 */
export function parseKeyTemplate(text: string, slotOf: (field: string) => number): KeyTemplate {
  const parts: KeyPart[] = [];
  let literal = '';
  const flush = (): void => {
    if (literal !== '') parts.push({ text: Buffer.from(literal) });
    literal = '';
  };
  for (const [piece, field] of text.matchAll(PIECE)) {
    if (piece === '{{' || piece === '}}') {
      literal += piece[0];
    } else if (field !== undefined) {
      const name = field.trim();
      if (name === '') throw invalid(text, 'has empty braces; name a field in them');
      flush();
      parts.push({ slot: slotOf(name) });
    } else if (piece === '{' || piece === '}') {
      throw invalid(text, `has a single "${piece}"; write {field}, or "${piece}${piece}" for the character`);
    } else {
      literal += piece;
    }
  }
  flush();
  if (parts.length === 0) throw invalid(text, 'is empty');
  return { source: text, parts };
}

/**
 * Writes the key of record `i` at `at` and returns where it ends; -1: the key is missing, because a part of it is (null, an
 * empty string, a number that is not an integer), or because it is longer than 4,096 bytes or than the room in `into`.
 * Bytes of `into` from `at` on may be overwritten even then.
 */
export function writeKey(
  template: KeyTemplate,
  columns: readonly Column[],
  i: number,
  into: Buffer,
  at: number,
): number {
  const { parts } = template;
  const limit = Math.min(into.length, at + MAX_KEY_BYTES);
  for (let k = 0; k < parts.length && at >= 0; k++) {
    const part = parts[k];
    at =
      'text' in part
        ? put(part.text, 0, part.text.length, into, at, limit)
        : putEntry(columns[part.slot], i, into, at, limit);
  }
  return at;
}

const DIGITS = Buffer.alloc(MAX_LONG_DIGITS);

/** One field of record `i`; see `writeKey`. */
export function putEntry(column: Column, i: number, into: Buffer, at: number, limit: number): number {
  switch (column.kind) {
    case 'string':
      return put(column.bytes, column.start[i], column.end[i], into, at, limit);
    case 'number': {
      const value = column.values[i];
      if (!Number.isSafeInteger(value)) return -1;
      return put(DIGITS, 0, writeInteger(DIGITS, 0, value), into, at, limit);
    }
    case 'long': {
      if (column.present[i] === 0) return -1;
      return put(DIGITS, 0, writeLongDigits(DIGITS, 0, column.words[2 * i], column.words[2 * i + 1]), into, at, limit);
    }
    case 'label': {
      const label = column.codes[i] < 0 ? undefined : column.labels[column.codes[i]];
      return label === undefined ? -1 : put(label, 0, label.length, into, at, limit);
    }
    case 'vector':
    case 'raw':
      return -1;
  }
}

function put(from: Buffer, start: number, end: number, into: Buffer, at: number, limit: number): number {
  if (start < 0 || end <= start || end - start > limit - at) return -1;
  for (let k = start; k < end; k++) into[at++] = from[k];
  return at;
}

function invalid(text: string, what: string): SluiceError {
  return new SluiceError('topology-invalid', `the key "${text}" ${what}`);
}
