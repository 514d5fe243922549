import { SluiceError } from '../../kernel/errors.ts';
import { type DefaultEntry, defaultEntry } from './default-entry.ts';
import { defaultBranch } from './defaults.ts';
import { branchesOf } from './fields.ts';
import { fieldNamed, NULL } from './paths.ts';
import { FAIL, type ReadTarget, readCode } from './read.ts';
import { branchFor, findWriterField, recordsFor } from './resolve.ts';
import { isLongRead, type ResolvedWant } from './resolved-want.ts';
import type { AvroField, AvroRecord, AvroType } from './schema.ts';
import { readIndexCode } from './skip.ts';

/** What a RecordReader needs from the compiler around it. */
export interface RecordTarget extends Omit<ReadTarget, 'want' | 'slot' | 'isRead' | 'isStrict' | 'depth' | 'symbols'> {
  symbols(slot: number, written: AvroType, reader: AvroType): string;
  /** Keeps an entry for a want that a record lacks; returns the names of the variables with it and with the start of its text. */
  absent(slot: number, depth: number, entry: DefaultEntry): { readonly entry: string; readonly text: string };
}

/** Most writer records for which code is generated: nested unions of many records would have no end. */
const MOST_RECORDS = 4_096;

/**
 * Writes JavaScript that reads the wanted fields of a record, at any depth, straight into columns and skips the others. If a
 * path ends early, its columns are left as they are, which is missing.
 *
 * Limit: code is generated for each place where a record occurs, so it grows with the number of paths that are read.
 */
export class RecordReader {
  private readonly target: RecordTarget;
  private records = 0;

  constructor(target: RecordTarget) {
    this.target = target;
  }

  /** Statements for a record at nesting level `depth`. Every want fits the writer's record. */
  record(writer: AvroRecord, wants: readonly ResolvedWant[], depth: number): string {
    if (++this.records > MOST_RECORDS) {
      const paths = wants.map(({ want }) => want.field).join(', ');
      throw new SluiceError(
        'schema-incompatible',
        `the writer's schema has more than ${MOST_RECORDS} ways through its unions to ${paths}; read fewer of them, or give the producer a simpler schema`,
      );
    }
    const { skips } = this.target;
    let body = '';
    for (const [index, { type }] of writer.fields.entries()) {
      const here = wants.filter(({ way }) => findWriterField(writer, way[depth]) === index);
      if (here.length === 0) body += skips.skip(type, FAIL, String(depth));
      else body += this.field(type, here, depth);
    }
    for (const want of wants) {
      if (findWriterField(writer, want.way[depth]) < 0) body += this.absent(want, depth);
    }
    return body;
  }

  /** One field, with all wants for it or for fields inside it. */
  private field(written: AvroType, wants: readonly ResolvedWant[], depth: number): string {
    const own = wants.filter((want) => want.isLast(depth));
    const inner = Map.groupBy(
      wants.filter((want) => !want.isLast(depth)),
      ({ way }) => way[depth],
    );
    const isSeveral = own.length + inner.size > 1;
    // A nested record may use the same name.
    const begin = depth === 0 && inner.size === 0 ? 'r' : this.target.skips.fresh('r');
    const remember = begin === 'r' ? 'r = at;\n' : `const ${begin} = at;\n`;
    let turn = 0;
    const again = (): string => (isSeveral ? (turn++ === 0 ? remember : `at = ${begin};\n`) : '');
    let body = '';
    for (const [k, each] of own.entries()) {
      // A long that is both passed on and used by an expression is read once. Only directly after a want that has read it: reading
      // text from a union skips a long, raw copies it, and HALVES would then hold another field's.
      const isRead = k > 0 && isLongRead(written, own[k - 1]) && isLongRead(written, each);
      if (!isRead) body += again();
      const type = each.want.kind === 'raw' ? each.field.type : each.way[depth].type;
      body += readCode(written, type, this.targetOf(each, depth, isRead));
    }
    for (const [field, within] of inner) body += again() + this.inside(written, field, within, depth);
    return body;
  }

  /** From a value into the record that it is or may be. */
  private inside(written: AvroType, field: AvroField, wants: readonly ResolvedWant[], depth: number): string {
    if (written.type !== 'union') return this.branch(written, field, wants, depth);
    const records = recordsFor(written, field.type);
    let cases = '';
    for (const [index, branch] of written.branches.entries()) {
      const isOther = branch.type === 'record' && !records.includes(branch);
      const body = isOther ? `${FAIL}\n` : this.branch(branch, field, wants, depth);
      if (body !== '') cases += `case ${index}: {\n${body}break; }\n`;
    }
    return `${readIndexCode(written.branches.length, FAIL)}switch (n) {\n${cases}}\n`;
  }

  private branch(written: AvroType, field: AvroField, wants: readonly ResolvedWant[], depth: number): string {
    if (written.type === 'record') {
      if (wants.some((want) => want.whyUnreadable(written, depth + 1) !== undefined)) return `${FAIL}\n`;
      return this.record(written, wants, depth + 1);
    }
    if (branchFor(written, branchesOf(field.type)) === undefined) return `${FAIL}\n`;
    let body = this.target.skips.skip(written, FAIL, String(depth));
    for (const each of wants) {
      if (each.want.kind !== 'raw') continue;
      body += readCode(NULL, each.field.type, { ...this.targetOf(each, depth, false), isStrict: false });
    }
    return body;
  }

  private targetOf({ want, slot, isStrict }: ResolvedWant, depth: number, isRead: boolean): ReadTarget {
    const { skips, rewrites, symbols } = this.target;
    return {
      ...{ want, slot, isStrict, isRead, skips, rewrites, depth: String(depth) },
      symbols: (from, to) => symbols(slot, from, to),
    };
  }

  private absent({ want, slot, way, field }: ResolvedWant, depth: number): string {
    const entry = defaultEntry(defaultOf(way.slice(depth), field), want);
    if (entry === undefined) return '';
    const names = this.target.absent(slot, depth, entry);
    return `putDefault(columns[${slot}], ${names.entry}, ${names.text}, i);\n`;
  }
}

/**
 * The field at the end of a path whose first field a record lacks, with the default that the first field's default gives it;
 * `whole` has its path and type. Throws `contract-broken` if that is not a value of its type.
 */
export function defaultOf([first, ...rest]: readonly AvroField[], whole: AvroField): AvroField {
  if (first === whole) return whole;
  let branch = defaultBranch(first);
  let json = first.default;
  for (const { name } of rest) {
    const inner = branch.type === 'record' ? fieldNamed(branch, name) : undefined;
    if (inner === undefined) return { ...whole, default: null };
    json = Object.hasOwn(json as object, name) ? (json as Json)[name] : inner.default;
    branch = defaultBranch({ ...inner, default: json });
  }
  return { ...whole, default: json };
}

type Json = Readonly<Record<string, unknown>>;
