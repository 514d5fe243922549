import { type Column, float32Bytes } from '../../kernel/columns.ts';
import { OPEN } from '../../kernel/fate.ts';
import { bindColumns } from '../bind-columns.ts';
import { ColumnText } from '../column-text.ts';
import type { ColumnWant, RowsDecoder, ValueDecoder } from '../types.ts';
import { type DefaultEntry, putDefault } from './default-entry.ts';
import { RAW_OUT } from './raw-out.ts';
import { FAIL, type SymbolTable } from './read.ts';
import { RecordReader } from './records.ts';
import { resolveWants } from './resolved-want.ts';
import { RewriteWriter } from './rewrite.ts';
import { RUNTIME } from './runtime.ts';
import { type AvroEnum, type AvroType, parseAvroRecord } from './schema.ts';
import { SkipWriter } from './skip.ts';

export interface AvroDecoderOptions {
  /** The schema that the values were written with (parsed JSON). */
  readonly writer: unknown;
  /** The schema whose fields are wanted; defaults to the writer's. */
  readonly reader?: unknown;
  readonly wants: readonly ColumnWant[];
}

/**
 * Avro binary → columns, by one function generated for a writer schema × wants: no object per record; unwanted fields are
 * skipped.
 *
 * Promise, for any bytes: it never throws, reads nothing outside [start, end), and takes time linear in their number (counts
 * are checked against the bytes left, recursive types end at 64 levels). It rejects a range that ends early or late, a varint
 * too large for its type, a boolean other than 0 or 1, a branch or symbol that does not exist, a wanted string that is not
 * UTF-8, a long beyond ±(2^53−1) wanted as a number, and a vector of the wrong width.
 * Limits: unwanted values are not validated: their text may be anything, and so may the content of blocks that state their size.
 *
 * Throws `schema-incompatible` (a bad writer schema, or one that cannot be read as the reader's) or `contract-broken`
 * (a bad reader schema, or a want that it cannot serve).
 */
export function compileAvroDecoder(options: AvroDecoderOptions): ValueDecoder {
  const { wants } = options;
  const writer = parseAvroRecord(
    options.writer,
    options.reader === undefined ? 'contract-broken' : 'schema-incompatible',
  );
  const reader = options.reader === undefined ? writer : parseAvroRecord(options.reader);
  const resolved = resolveWants(writer, reader, wants);

  const skips = new SkipWriter();
  const rewrites = new RewriteWriter();
  const texts: Buffer[][] = wants.map(() => []);
  const tables: SymbolTable[] = [];
  const defaults: (DefaultEntry | undefined)[] = wants.map(() => undefined);
  const records = new RecordReader({
    skips,
    rewrites,
    symbols: (slot, from, to) => addSymbols(tables, texts[slot], from, to),
    absent(slot, depth, entry) {
      // A want has at most one default at the top level, but one for each branch of a union further in.
      const k = depth === 0 ? slot : defaults.length;
      const begin = lengthOf(texts[slot]);
      defaults[k] = entry;
      texts[slot].push(entry.text);
      return { entry: `d${k}`, text: begin === 0 ? `b${slot}` : `b${slot} + ${begin}` };
    },
  });
  const body = records.record(writer, resolved, 0);

  const decodeRows = new Function(
    'R',
    'T',
    'defaults',
    'putDefault',
    'float32Bytes',
    'K',
    'E',
    source(
      wants,
      [...skips.functions, ...rewrites.functions],
      { tables: tables.length, defaults: defaults.length },
      body,
    ),
  )(
    { ...RUNTIME, ...RAW_OUT },
    tables,
    defaults,
    putDefault,
    float32Bytes,
    rewrites.constants,
    rewrites.tables,
  ) as DecodeRows;
  const columnTexts = texts.map((parts) => (parts.length === 0 ? undefined : new ColumnText(Buffer.concat(parts))));

  /** The arguments that come before the records; fixed for a frame. */
  function bound(arena: Buffer, columns: readonly Column[]): [Buffer, DataView, readonly Column[], readonly number[]] {
    bindColumns(arena, wants, columns);
    const bases = columnTexts.map((text, slot) => text?.baseIn(columns[slot]) ?? 0);
    return [arena, new DataView(arena.buffer, arena.byteOffset, arena.byteLength), columns, bases];
  }

  return {
    bind(arena, columns) {
      const [bytes, view, into, bases] = bound(arena, columns);
      const start = new Int32Array(1);
      const end = new Int32Array(1);
      const fate = new Uint8Array([OPEN]);
      return (from, to, i) => {
        start[0] = from;
        end[0] = to;
        return decodeRows(bytes, view, into, bases, start, end, 0, fate, 0, 1, i) === 1;
      };
    },
    bindRows(arena, columns) {
      const [bytes, view, into, bases] = bound(arena, columns);
      return (starts, ends, skip, fate, from, to) =>
        decodeRows(bytes, view, into, bases, starts, ends, skip, fate, from, to, 0);
    },
  };
}

/** Entry `k` of starts, ends and fate belongs to entry `k + shift` of the columns. */
type DecodeRows = (
  arena: Buffer,
  view: DataView,
  columns: readonly Column[],
  bases: readonly number[],
  ...rows: [...Parameters<RowsDecoder>, shift: number]
) => number;

/** Adds an enum's symbols to the text of a want. */
function addSymbols(tables: SymbolTable[], text: Buffer[], written: AvroType, reader: AvroType): string {
  const from = written as AvroEnum;
  const to = reader as AvroEnum;
  const table = { start: new Int32Array(from.symbols.length).fill(-1), end: new Int32Array(from.symbols.length) };
  let at = lengthOf(text);
  for (const [index, symbol] of from.symbols.entries()) {
    const known = to.symbols.includes(symbol) ? symbol : to.default;
    if (known === undefined) continue;
    const bytes = Buffer.from(known);
    text.push(bytes);
    table.start[index] = at;
    at += bytes.length;
    table.end[index] = at;
  }
  tables.push(table);
  return `t${tables.length - 1}`;
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((bytes, part) => bytes + part.length, 0);
}

function source(
  wants: readonly ColumnWant[],
  functions: readonly string[],
  { tables, defaults }: { readonly tables: number; readonly defaults: number },
  body: string,
): string {
  const columns = wants.map(({ kind }, slot) => {
    const of = `columns[${slot}]`;
    const base = `const b${slot} = bases[${slot}];\n`;
    switch (kind) {
      case 'raw':
        return `const o${slot} = ${of};\n${base}`;
      case 'number':
        return `const c${slot} = ${of}.values;\n${base}`;
      case 'long':
        return `const w${slot} = ${of}.words, p${slot} = ${of}.present;\n${base}`;
      case 'string':
        return `const s${slot} = ${of}.start, e${slot} = ${of}.end;\n${base}`;
      default:
        return `const x${slot} = ${of}.values, y${slot} = float32Bytes(${of}), p${slot} = ${of}.present;\n${base}`;
    }
  });
  return `'use strict';
const { ${[...Object.keys(RUNTIME), ...Object.keys(RAW_OUT)].join(', ')} } = R;
${Array.from({ length: tables }, (_, index) => `const t${index} = T[${index}];\n`).join('')}${Array.from({ length: defaults }, (_, k) => `const d${k} = defaults[${k}];\n`).join('')}${functions.join('')}
return function decodeRows(A, D, columns, bases, starts, ends, skip, fate, from, to, shift) {
${columns.join('')}
let at = 0, end = 0, n = 0, v = 0, r = 0;
for (let k = from; k < to; k++) {
if (fate[k] !== ${OPEN}) continue;
const i = k + shift;
at = starts[k] + skip;
end = ends[k];
${body}if (at !== end) ${FAIL}
}
return to;
};`;
}
