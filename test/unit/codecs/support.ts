import avsc from 'avsc';
import type { ColumnWant, RowDecoder, ValueDecoder } from '../../../src/codecs/types.ts';
import {
  type Column,
  labelColumn,
  longColumn,
  numberColumn,
  rawColumn,
  stringColumn,
  vectorColumn,
} from '../../../src/kernel/columns.ts';

export function want(field: string, kind: ColumnWant['kind'], width = 1): ColumnWant {
  return { field, kind, width };
}

export function columnsFor(wants: readonly ColumnWant[], count: number, arena: Buffer): Column[] {
  return wants.map(({ kind, width }) => {
    if (kind === 'number') return numberColumn(count);
    if (kind === 'long') return longColumn(count);
    if (kind === 'string') return stringColumn(count, arena);
    if (kind === 'raw') return rawColumn(count);
    return vectorColumn(count, width);
  });
}

/** Entry `i` as a plain value; null: missing. */
export function entry(column: Column, i: number): unknown {
  switch (column.kind) {
    case 'number':
      return Number.isNaN(column.values[i]) ? null : column.values[i];
    case 'long':
      return column.present[i] === 0 ? null : column.values[i];
    case 'string':
      return column.start[i] < 0 ? null : column.bytes.toString('utf8', column.start[i], column.end[i]);
    case 'vector':
      if (column.present[i] === 0) return null;
      return [...column.values.subarray(i * column.width, (i + 1) * column.width)];
    case 'raw':
      return column.start[i] < 0 ? null : Buffer.from(column.bytes.subarray(column.start[i], column.end[i]));
    case 'label':
      return column.codes[i] < 0 ? null : column.labels[column.codes[i]].toString();
  }
}

/** Decodes one value with other bytes around it; undefined: it was refused. */
export function decodeOne(decoder: ValueDecoder, wants: readonly ColumnWant[], value: Buffer): unknown[] | undefined {
  const arena = Buffer.concat([Buffer.from([0xff, 0x80, 0x02]), value, Buffer.from([0x02, 0x00, 0x7d, 0x31])]);
  const columns = columnsFor(wants, 3, arena);
  const row: RowDecoder = decoder.bind(arena, columns);
  return row(3, 3 + value.length, 1) ? columns.map((column) => entry(column, 1)) : undefined;
}

export function numbers(...values: number[]): Column {
  const column = numberColumn(values.length);
  column.values.set(values);
  return column;
}

export function longs(...values: (bigint | null)[]): Column {
  const column = longColumn(values.length);
  for (const [i, value] of values.entries()) {
    if (value === null) continue;
    column.values[i] = value;
    column.present[i] = 1;
  }
  return column;
}

export function strings(...values: (string | null)[]): Column {
  const column = stringColumn(values.length, Buffer.from(values.join('')));
  let at = 0;
  for (const [i, value] of values.entries()) {
    if (value === null) continue;
    column.start[i] = column.bytes.indexOf(value, at);
    at = column.start[i] + Buffer.byteLength(value);
    column.end[i] = at;
  }
  return column;
}

export function labels(texts: readonly string[], ...codes: number[]): Column {
  const column = labelColumn(
    codes.length,
    texts.map((text) => Buffer.from(text)),
  );
  column.codes.set(codes);
  return column;
}

export function vectors(width: number, ...rows: (number[] | null)[]): Column {
  const column = vectorColumn(rows.length, width);
  for (const [i, row] of rows.entries()) {
    if (row === null) continue;
    column.values.set(row, i * width);
    column.present[i] = 1;
  }
  return column;
}

/** A seeded generator of numbers in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** avsc with 64-bit longs as BigInt and unions as values of one branch, `{int: 1}`: the oracle. Logical types are left out. */
export function oracle(schema: unknown): avsc.Type {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    },
    fromJSON: (json: number) => BigInt(json),
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
  });
  const isLong = (part: unknown): boolean => part === 'long' || (part as { type?: unknown }).type === 'long';
  return avsc.Type.forSchema(
    schema as avsc.Schema,
    {
      typeHook: (part: unknown) => (isLong(part) ? long : undefined),
      wrapUnions: true,
    } as unknown as Parameters<typeof avsc.Type.forSchema>[1],
  );
}
