import { encodeConstant } from './defaults.ts';
import { branchesOf } from './fields.ts';
import { branchFor, findWriterField } from './resolve.ts';
import { sameEncoding } from './same-encoding.ts';
import { type AvroEnum, type AvroRecord, type AvroType, MAX_DEPTH } from './schema.ts';
import { readIndexCode, readLengthCode, SkipWriter } from './skip.ts';

/**
 * Writes JavaScript that walks over a value of the writer's type and appends it to a raw column `O` in the reader's type: Avro's
 * schema resolution for values that are passed on whole. In scope: what SkipWriter needs, and raw-out.
 *
 * Parts with the same encoding in both are copied in one piece, after their text is checked for UTF-8. A record whose fields
 * differ is walked over twice, the first time to locate them. Limits: 64 levels; one function for each pair of records.
 */
export class RewriteWriter {
  readonly constants: Buffer[] = [];
  readonly tables: Int32Array[] = [];
  /** Skips values and validates their text. */
  private readonly walk: SkipWriter;
  private readonly made: { readonly written: AvroRecord; readonly reader: AvroRecord; readonly id: string }[] = [];
  private readonly sources: string[] = [];

  constructor() {
    this.walk = new SkipWriter(true);
  }

  get functions(): readonly string[] {
    return [...this.walk.functions, ...this.sources];
  }

  /** Statements; `fail` leaves, `depth` is an expression. */
  rewrite(written: AvroType, reader: AvroType, fail: string, depth: string): string {
    const { walk } = this;
    if (sameEncoding(written, reader)) {
      const from = walk.fresh('q');
      return `const ${from} = at;\n${walk.skip(written, fail, depth)}rawBytes(O, A, ${from}, at);\n`;
    }
    if (written.type === 'union') {
      let cases = '';
      for (const [index, branch] of written.branches.entries()) {
        cases += `case ${index}: {\n${this.rewrite(branch, reader, fail, depth)}break; }\n`;
      }
      return `${readIndexCode(written.branches.length, fail)}switch (n) {\n${cases}}\n`;
    }
    if (reader.type === 'union') {
      const chosen = branchFor(written, branchesOf(reader));
      if (chosen === undefined) return `${fail}\n`;
      return `rawIndex(O, ${reader.branches.indexOf(chosen)});\n${this.rewrite(written, chosen, fail, depth)}`;
    }
    if (branchFor(written, [reader]) === undefined) return `${fail}\n`;
    switch (reader.type) {
      case 'float':
      case 'double':
        return `${numberCode(written, fail)}${reader.type === 'float' ? 'rawFloat' : 'rawDouble'}(O, v);\n`;
      case 'string':
      case 'bytes': {
        const judged = reader.type === 'string' ? `if (!validUtf8(A, at, at + n)) ${fail}\n` : '';
        return `${readLengthCode(fail)}${judged}rawText(O, A, at, at += n);\n`;
      }
      case 'fixed': {
        const from = walk.fresh('q');
        return `const ${from} = at;\n${walk.skip(written, fail, depth)}rawBytes(O, A, ${from}, at);\n`;
      }
      case 'enum':
        return this.symbol(written as AvroEnum, reader, fail);
      case 'array':
        return this.blocks((written as { readonly items: AvroType }).items, reader.items, false, fail, depth);
      case 'map':
        return this.blocks((written as { readonly values: AvroType }).values, reader.values, true, fail, depth);
      case 'record':
        return `if ((at = ${this.functionOf(written as AvroRecord, reader)}(A, D, at, end, O, ${depth} + 1)) < 0) ${fail}\n`;
      default:
        // All other types have the same encoding in both, or were refused.
        return `${fail}\n`;
    }
  }

  private symbol(written: AvroEnum, reader: AvroEnum, fail: string): string {
    const table = Int32Array.from(written.symbols, (symbol) => {
      const known = reader.symbols.includes(symbol) ? symbol : reader.default;
      return known === undefined ? -1 : reader.symbols.indexOf(known);
    });
    const k = this.tables.push(table) - 1;
    return `${readIndexCode(written.symbols.length, fail)}if ((n = E[${k}][n]) < 0) ${fail}\nrawIndex(O, n);\n`;
  }

  private blocks(written: AvroType, reader: AvroType, keyed: boolean, fail: string, depth: string): string {
    const { walk } = this;
    const [count, limit] = [walk.fresh('c'), walk.fresh('l')];
    const key = keyed
      ? `${readLengthCode(fail)}if (!validUtf8(A, at, at + n)) ${fail}\nrawText(O, A, at, at += n);\n`
      : '';
    return `for (;;) {
if ((at = readBlock(A, at, end, ${(keyed ? 1 : 0) + walk.leastBytes(written)})) < 0) ${fail}
let ${count} = BLOCK[0];
const ${limit} = BLOCK[1];
rawIndex(O, ${count});
if (${count} === 0) break;
for (; ${count} > 0; ${count}--) {
${key}${this.rewrite(written, reader, fail, depth)}}
if (${limit} >= 0 && at !== ${limit}) ${fail}
}
`;
  }

  private functionOf(written: AvroRecord, reader: AvroRecord): string {
    const known = this.made.find((each) => each.written === written && each.reader === reader);
    if (known !== undefined) return known.id;
    const id = `rewrite${this.made.length}`;
    this.made.push({ written, reader, id });
    const fail = 'return -1;';
    let find = '';
    for (const [k, field] of written.fields.entries())
      find += `const p${k} = at;\n${this.walk.skip(field.type, fail, 'depth')}`;
    let write = '';
    for (const field of reader.fields) {
      const k = findWriterField(written, field);
      if (k < 0) {
        const constant = this.constants.push(encodeConstant(field.type, field.default, field.name)) - 1;
        write += `rawBytes(O, K[${constant}], 0, K[${constant}].length);\n`;
      } else {
        write += `at = p${k};\n{\n${this.rewrite(written.fields[k].type, field.type, fail, 'depth')}}\n`;
      }
    }
    this.sources.push(
      `function ${id}(A, D, at, end, O, depth) {\nif (depth > ${MAX_DEPTH}) return -1;\nlet n = 0, v = 0;\n${find}const behind = at;\n${write}return behind;\n}\n`,
    );
    return id;
  }
}

/** Reads a number into `v`; longs as doubles, as in Avro's promotion. */
function numberCode(written: AvroType, fail: string): string {
  switch (written.type) {
    case 'int':
      return `if ((at = readInt(A, at, end)) < 0) ${fail}\nv = HALVES[0];\n`;
    case 'long':
      return `if ((at = readLong(A, at, end)) < 0) ${fail}\nv = HALVES[1] * 4294967296 + (HALVES[0] >>> 0);\n`;
    case 'float':
      return `if (end - at < 4) ${fail}\nv = D.getFloat32(at, true);\nat += 4;\n`;
    default:
      return `if (end - at < 8) ${fail}\nv = D.getFloat64(at, true);\nat += 8;\n`;
  }
}
