import type { AvroRecord, AvroType } from './schema.ts';
import { MAX_DEPTH } from './schema.ts';

/**
 * Writes JavaScript that skips an Avro value, checking only its structure.
 *
 * The code has `A` (bytes), `at`, `end`, `n`, `depth` and the names of avro-runtime in scope, moves `at`, and leaves by `fail`.
 * Every record type becomes one function, so code grows with the schema, not with its expansion, and recursion is counted.
 * The code contains no text from the schema, only numbers.
 */
export class SkipWriter {
  /** Source of the functions made so far; it must precede the code that calls them. */
  readonly functions: string[] = [];
  private readonly judgesText: boolean;
  private readonly ids = new Map<AvroRecord, string>();
  private readonly least = new Map<AvroRecord, number>();
  private readonly empty = new Map<AvroRecord, boolean>();
  private names = 0;

  /** `judgesText`: also validate skipped values: text as UTF-8, and blocks even if they state their length. */
  constructor(judgesText = false) {
    this.judgesText = judgesText;
  }

  /** Statements that skip one value of `type`; `fail` is a statement, `depth` an expression. */
  skip(type: AvroType, fail: string, depth: string): string {
    if (this.isEmpty(type)) return '';
    switch (type.type) {
      case 'null':
        return '';
      case 'boolean':
        return `if (at >= end || A[at++] > 1) ${fail}\n`;
      case 'int':
        return `if (at < end && A[at] < 128) at++; else if ((at = skipInt(A, at, end)) < 0) ${fail}\n`;
      case 'long':
        return `if (at < end && A[at] < 128) at++; else if ((at = skipLong(A, at, end)) < 0) ${fail}\n`;
      case 'float':
        return advance('4', fail);
      case 'double':
        return advance('8', fail);
      case 'fixed':
        return advance(String(type.size), fail);
      case 'bytes':
        return `${readLengthCode(fail)}at += n;\n`;
      case 'string':
        return this.text(fail);
      case 'enum':
        return readIndexCode(type.symbols.length, fail);
      case 'union':
        return this.skipUnion(type.branches, fail, depth);
      case 'array':
        return this.skipBlocks(type.items, '', this.leastBytes(type.items), fail, depth);
      case 'map': {
        return this.skipBlocks(type.values, this.text(fail), 1 + this.leastBytes(type.values), fail, depth);
      }
      case 'record':
        return `if ((at = ${this.functionOf(type)}(A, at, end, ${depth} + 1)) < 0) ${fail}\n`;
    }
  }

  private text(fail: string): string {
    const judged = this.judgesText ? `if (!validUtf8(A, at, at + n)) ${fail}\n` : '';
    return `${readLengthCode(fail)}${judged}at += n;\n`;
  }

  /** A variable name that is not in use. */
  fresh(prefix: string): string {
    return `${prefix}${this.names++}`;
  }

  /** A lower bound of the bytes that a value takes. */
  leastBytes(type: AvroType): number {
    switch (type.type) {
      case 'null':
        return 0;
      case 'float':
        return 4;
      case 'double':
        return 8;
      case 'fixed':
        return type.size;
      case 'union':
        return 1 + Math.min(...type.branches.map((branch) => this.leastBytes(branch)));
      case 'record': {
        const known = this.least.get(type);
        if (known !== undefined) return known;
        this.least.set(type, 0); // an endlessly recursive record has no values
        let bytes = 0;
        for (const field of type.fields) bytes = Math.min(2 ** 31, bytes + this.leastBytes(field.type));
        this.least.set(type, bytes);
        return bytes;
      }
      default:
        return 1;
    }
  }

  /** Whether every value takes no bytes. */
  private isEmpty(type: AvroType): boolean {
    if (type.type === 'null') return true;
    if (type.type === 'fixed') return type.size === 0;
    if (type.type !== 'record') return false;
    const known = this.empty.get(type);
    if (known !== undefined) return known;
    this.empty.set(type, false);
    const empty = type.fields.every((field) => this.isEmpty(field.type));
    this.empty.set(type, empty);
    return empty;
  }

  private skipUnion(branches: readonly AvroType[], fail: string, depth: string): string {
    let cases = '';
    for (const [index, branch] of branches.entries()) {
      const body = this.skip(branch, fail, depth);
      if (body !== '') cases += `case ${index}: {\n${body}break; }\n`;
    }
    return `${readIndexCode(branches.length, fail)}${cases === '' ? '' : `switch (n) {\n${cases}}\n`}`;
  }

  private skipBlocks(items: AvroType, key: string, itemBytes: number, fail: string, depth: string): string {
    const count = this.fresh('c');
    const fixed = key === '' && (items.type === 'float' || items.type === 'double' || items.type === 'fixed');
    const item = fixed ? '' : key + this.skip(items, fail, depth);
    const walk = item === '' ? `at += ${count} * ${itemBytes};\n` : `for (; ${count} > 0; ${count}--) {\n${item}}\n`;
    const limit = this.fresh('l');
    const sized = this.judgesText
      ? `const ${limit} = BLOCK[1];\n`
      : 'if (BLOCK[1] >= 0) { at = BLOCK[1]; continue; }\n';
    const whole = this.judgesText ? `if (${limit} >= 0 && at !== ${limit}) ${fail}\n` : '';
    return `for (;;) {
if ((at = readBlock(A, at, end, ${itemBytes})) < 0) ${fail}
let ${count} = BLOCK[0];
if (${count} === 0) break;
${sized}${walk}${whole}}
`;
  }

  private functionOf(record: AvroRecord): string {
    const known = this.ids.get(record);
    if (known !== undefined) return known;
    const id = `${this.judgesText ? 'walk' : 'skip'}${this.ids.size}`;
    this.ids.set(record, id);
    let body = '';
    for (const field of record.fields) body += this.skip(field.type, 'return -1;', 'depth');
    this.functions.push(
      `function ${id}(A, at, end, depth) {\nif (depth > ${MAX_DEPTH}) return -1;\nlet n = 0;\n${body}return at;\n}\n`,
    );
    return id;
  }
}

export function advance(bytes: string, fail: string): string {
  return `if (end - at < ${bytes}) ${fail}\nat += ${bytes};\n`;
}

/** Reads a length into `n` and makes sure that so many bytes follow. */
export function readLengthCode(fail: string): string {
  return `if (at >= end) ${fail}
n = A[at];
if (n < 128) { n = (n & 1) === 0 ? n >> 1 : end; if (n > end - ++at) ${fail} }
else { if ((at = readLength(A, at, end)) < 0) ${fail} n = HALVES[0]; }
`;
}

/** Reads the index of a union branch or an enum symbol into `n`. */
export function readIndexCode(count: number, fail: string): string {
  return `if (at >= end) ${fail}
n = A[at];
if (n < 128) { n = (n & 1) === 0 ? n >> 1 : -1; at++; }
else { if ((at = readInt(A, at, end)) < 0) ${fail} n = HALVES[0]; }
if (n < 0 || n >= ${count}) ${fail}
`;
}
