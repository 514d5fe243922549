import type { Column } from '../../kernel/columns.ts';
import { OPEN } from '../../kernel/fate.ts';
import { MAX_LENGTH_BYTES } from '../bodies.ts';
import { emptyColumn, keepCode } from '../keep-code.ts';
import type { BodiesEncoder, RowEncoder, ValueEncoder } from '../types.ts';
import { encodeConstant } from './defaults.ts';
import { type ColumnPlan, checkColumn, type EncoderOptions, planOutput } from './output-plan.ts';
import type { AvroType } from './schema.ts';
import { WRITERS } from './writers.ts';

export interface AvroEncoderOptions extends EncoderOptions {
  /** Written before every value: see wire.ts; empty for plain values. */
  readonly prefix: Buffer;
}

/**
 * Columns → Avro binary, by one function generated for a schema × output fields, straight into the slab.
 *
 * Returns false if a value does not fit: missing without a null branch, a fraction or a number out of range for int or long,
 * not finite (for float, as a float32) for float and double, neither 0 nor 1 for boolean, not a symbol of the enum.
 * Fields without an output field are written as their default. Throws `contract-broken` as planOutput does.
 */
export function compileAvroEncoder(options: AvroEncoderOptions): ValueEncoder {
  const plans = planOutput(options);
  const constants: Buffer[] = [];
  const symbols: (readonly Buffer[])[] = [];
  const columns: ColumnPlan[] = [];
  let declare = '';
  let measure = '';
  let write = '';
  let fixedBytes = options.prefix.length;
  let pending = options.prefix;
  // Adjacent constants (prefix, defaults) become one copy.
  const flush = (): void => {
    if (pending.length === 0) return;
    if (pending.length <= MAX_INLINE_BYTES) {
      for (const byte of pending) write += `A[at++] = ${byte};\n`;
    } else {
      write += `at = putBytes(A, at, K[${constants.length}], 0, ${pending.length});\n`;
      constants.push(pending);
    }
    pending = Buffer.alloc(0);
  };
  for (const plan of plans) {
    if (plan.from === 'constant') {
      const bytes = encodeConstant(plan.field.type, plan.json, plan.field.name);
      fixedBytes += bytes.length;
      pending = Buffer.concat([pending, bytes]);
      continue;
    }
    flush();
    const code = columnCode(plan, columns.length, symbols);
    columns.push(plan);
    declare += code.declare;
    measure += code.measure;
    write += code.write;
    fixedBytes += code.maxBytes;
  }
  flush();

  const source = `'use strict';
const { ${Object.keys(WRITERS).join(', ')} } = W;
return function bind(columns) {
${declare}
return {
encodeRow(i, slab) {
let bytes = ${fixedBytes};
${measure}let at = slab.reserve(bytes);
const A = slab.arena, V = slab.view;
let v = 0, n = 0;
${write}slab.used = at;
return true;
},
encodeBodies(keys, timestamps, fate, slab, rows, from, to) {
const { bytes: S, starts, ends } = keys;
let A = slab.arena, V = slab.view, at = slab.used, lengthBytes = 1;
let v = 0, n = 0;
for (let i = from; i < to; i++) {
if (fate[i] !== ${OPEN}) continue;
const key = starts[i], keyBytes = key < 0 ? 0 : ends[i] - key;
let bytes = ${fixedBytes + 2 * MAX_LENGTH_BYTES} + keyBytes;
${measure}if (at + bytes > A.length) { slab.reserve(bytes); A = slab.arena; V = slab.view; }
const body = at, keyAt = putVarint(A, at, key < 0 ? 1 : keyBytes * 2);
if (keyBytes > 0) copyBytes(V, keyAt, S, key, keyBytes);
const lengthAt = keyAt + keyBytes;
at = lengthAt + lengthBytes;
${write.replaceAll(FAIL, 'return i;')}n = (at - lengthAt - lengthBytes) * 2;
if (varintBytes(n) !== lengthBytes) {
const needed = varintBytes(n);
A.copyWithin(lengthAt + needed, lengthAt + lengthBytes, at);
at += needed - lengthBytes;
lengthBytes = needed;
}
putVarint(A, lengthAt, n);
slab.used = at;
rows[i] = slab.endBody(timestamps[i], body, key < 0 ? -1 : keyAt, key < 0 ? -1 : lengthAt, lengthAt + lengthBytes);
}
return to;
},
};
};`;
  const bind = new Function('W', 'K', 'symbols', source)(WRITERS, constants, symbols) as (
    columns: readonly Column[],
  ) => { readonly encodeRow: RowEncoder; readonly encodeBodies: BodiesEncoder };

  function bound(events: readonly Column[], predictions: readonly Column[]): ReturnType<typeof bind> {
    return bind(
      columns.map((plan) => {
        const column = (plan.from === 'event' ? events : predictions)[plan.slot];
        checkColumn(plan, column);
        return column;
      }),
    );
  }

  const encoder: ValueEncoder = {
    bind: (events, predictions) => bound(events, predictions).encodeRow,
    bindBodies: (events, predictions) => bound(events, predictions).encodeBodies,
  };
  return keepCode(encoder, bind(columns.map(({ column }) => emptyColumn(column))));
}

interface ColumnCode {
  /** Run once a frame: local names for the column's parts. */
  readonly declare: string;
  /** Adds the bytes that depend on the record to `bytes`. */
  readonly measure: string;
  readonly write: string;
  /** Most bytes that do not depend on the record. */
  readonly maxBytes: number;
}

/** What generated code does with a value that does not fit; `used` is unchanged. */
const FAIL = 'return false;';
/** Constants up to this length are written into the code. */
const MAX_INLINE_BYTES = 16;

/** Code for one column, the `k`th of the bound columns. */
function columnCode(plan: ColumnPlan, k: number, symbols: (readonly Buffer[])[]): ColumnCode {
  const of = `columns[${k}]`;
  const missing = plan.nullIndex < 0 ? FAIL : `A[at++] = ${indexByte(plan.nullIndex)};`;
  const branch = plan.branchIndex < 0 ? '' : `A[at++] = ${indexByte(plan.branchIndex)};\n`;
  const otherwise = (isMissing: string, write: string): string =>
    `if (${isMissing}) { ${missing} }\nelse {\n${branch}${write}}\n`;
  const type = plan.branch;
  switch (plan.column.kind) {
    case 'number':
      return {
        declare: `const c${k} = ${of}.values;\n`,
        measure: '',
        write: otherwise(`(v = c${k}[i]) !== v`, numberCode(type)),
        maxBytes: 11,
      };
    case 'long':
      return {
        declare: `const w${k} = ${of}.words, p${k} = ${of}.present;\n`,
        measure: '',
        write: otherwise(`p${k}[i] === 0`, longCode(type, k)),
        maxBytes: 11,
      };
    case 'string':
      return {
        declare: `const b${k} = ${of}.bytes, s${k} = ${of}.start, e${k} = ${of}.end, t${k} = viewOf(b${k});\n`,
        measure: `if (s${k}[i] >= 0) bytes += e${k}[i] - s${k}[i];\n`,
        write: otherwise(`s${k}[i] < 0`, textCode(type, `b${k}`, `s${k}[i]`, `e${k}[i]`, symbols, `t${k}`)),
        maxBytes: 6,
      };
    case 'label':
      return {
        declare: `const l${k} = ${of}.labels, d${k} = ${of}.codes;\n`,
        measure: `const t${k} = d${k}[i] < 0 ? undefined : l${k}[d${k}[i]];\nif (t${k} !== undefined) bytes += t${k}.length;\n`,
        write: otherwise(`t${k} === undefined`, textCode(type, `t${k}`, '0', `t${k}.length`, symbols)),
        maxBytes: 6,
      };
    case 'raw':
      return {
        declare: `const s${k} = ${of}.start, e${k} = ${of}.end, t${k} = ${of}.view;\n`,
        measure: `if (s${k}[i] >= 0) bytes += e${k}[i] - s${k}[i];\n`,
        write: otherwise(`s${k}[i] < 0`, `n = e${k}[i] - s${k}[i];\ncopyBytes(V, at, t${k}, s${k}[i], n);\nat += n;\n`),
        maxBytes: 1,
      };
    case 'vector': {
      const { width } = plan.column;
      const items = (type as { readonly items: AvroType }).items;
      const write =
        width === 0
          ? 'A[at++] = 0;\n'
          : `at = putInteger(A, at, ${width});
for (n = i * ${width}; n < (i + 1) * ${width}; n++) {
v = x${k}[n];
if (v !== v) ${FAIL}
${numberCode(items)}}
A[at++] = 0;
`;
      return {
        declare: `const x${k} = ${of}.values, p${k} = ${of}.present;\n`,
        measure: '',
        write: otherwise(`p${k}[i] === 0`, write),
        maxBytes: 7 + 10 * width,
      };
    }
  }
}

/** Writes `v`, which is not NaN. */
function numberCode(type: AvroType): string {
  switch (type.type) {
    case 'boolean':
      return `if (v !== 0 && v !== 1) ${FAIL}\nA[at++] = v;\n`;
    case 'int':
      return `if ((v | 0) !== v) ${FAIL}\nat = putLong(A, at, v | 0, (v | 0) >> 31);\n`;
    case 'long':
      return `if (!Number.isSafeInteger(v)) ${FAIL}\nat = putInteger(A, at, v);\n`;
    case 'float':
      return `v = Math.fround(v);\nif (v - v !== 0) ${FAIL}\nV.setFloat32(at, v, true);\nat += 4;\n`;
    default:
      return `if (v - v !== 0) ${FAIL}\nV.setFloat64(at, v, true);\nat += 8;\n`;
  }
}

function longCode(type: AvroType, k: number): string {
  const words = `w${k}[2 * i], w${k}[2 * i + 1]`;
  if (type.type === 'long') return `at = putLong(A, at, ${words});\n`;
  const toNumber = `v = w${k}[2 * i + 1] * 4294967296 + (w${k}[2 * i] >>> 0);\n`;
  if (type.type === 'int') return `${toNumber}${numberCode(type)}`;
  return `${toNumber}if (!Number.isSafeInteger(v)) ${FAIL}\n${numberCode(type)}`;
}

/** `view`: over all of the bytes, if there is one. */
function textCode(
  type: AvroType,
  bytes: string,
  start: string,
  end: string,
  symbols: (readonly Buffer[])[],
  view?: string,
): string {
  if (type.type === 'enum') {
    symbols.push(type.symbols.map((symbol) => Buffer.from(symbol)));
    return `if ((n = symbolAt(symbols[${symbols.length - 1}], ${bytes}, ${start}, ${end})) < 0) ${FAIL}
at = putInteger(A, at, n);
`;
  }
  return `n = ${end} - ${start};
if (n < 64) A[at++] = 2 * n;
else at = putInteger(A, at, n);
${view === undefined ? `at = putBytes(A, at, ${bytes}, ${start}, ${end});` : `copyBytes(V, at, ${view}, ${start}, n);\nat += n;`}\n`;
}

/** A union's branch as a varint of one byte (planOutput refuses wider unions). */
function indexByte(index: number): number {
  return 2 * index;
}
