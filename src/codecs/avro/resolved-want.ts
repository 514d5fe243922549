import { SluiceError } from '../../kernel/errors.ts';
import type { ColumnWant } from '../types.ts';
import { branchesOf, describe, isNullable } from './fields.ts';
import { wantedField, wayTo } from './paths.ts';
import { branchFor, findWriterField, readAs, recordsFor } from './resolve.ts';
import type { AvroField, AvroRecord, AvroType } from './schema.ts';

/** A want with the reader's fields on the way to it: at depth 0 a field of the value, then one of the record before it. */
export class ResolvedWant {
  readonly want: ColumnWant;
  readonly slot: number;
  /** The reader's field at each depth, the wanted one last. */
  readonly way: readonly AvroField[];
  /** The wanted field, named by its whole path; nullable if a field on the way may be something other than a record. */
  readonly field: AvroField;
  /** At each depth, results by writer record: many branches may lead to the same one. */
  private readonly known: readonly Map<AvroRecord, string | undefined>[];

  constructor(reader: AvroRecord, want: ColumnWant, slot: number) {
    this.want = want;
    this.slot = slot;
    this.field = wantedField(reader, want);
    this.way = wayTo(reader, want.field) ?? [];
    this.known = this.way.map(() => new Map());
  }

  isLast(depth: number): boolean {
    return depth === this.way.length - 1;
  }

  /** The path up to a depth. */
  pathAt(depth: number): string {
    return this.way
      .slice(0, depth + 1)
      .map(({ name }) => name)
      .join('.');
  }

  /** Why the field of a writer's record can never be read as the reader's; undefined if it can. */
  whyUnreadable(writer: AvroRecord, depth = 0): string | undefined {
    const known = this.known[depth];
    if (!known.has(writer)) known.set(writer, this.judge(writer, depth));
    return known.get(writer);
  }

  private judge(writer: AvroRecord, depth: number): string | undefined {
    const own = this.way[depth];
    const name = this.pathAt(depth);
    const k = findWriterField(writer, own);
    if (k < 0) {
      if (own.default !== undefined) return undefined;
      return `the writer's schema ${writer.name} has no field "${name}", and the reader's (${describe(own.type)}) has no default for it`;
    }
    const written = writer.fields[k].type;
    const cannot = `field "${name}": the writer's ${describe(written)} cannot be read as the reader's ${describe(own.type)}`;
    const { kind } = this.want;
    if (this.isLast(depth)) {
      const fits = branchesOf(written).some((branch) =>
        kind === 'raw'
          ? branchFor(branch, branchesOf(own.type)) !== undefined
          : readAs(branch, own.type, kind) !== undefined,
      );
      return fits ? undefined : `${cannot} (wanted as a ${kind})`;
    }
    const records = recordsFor(written, own.type);
    if (records.length > 0) {
      const whys = records.map((record) => this.whyUnreadable(record, depth + 1));
      return whys.includes(undefined) ? undefined : whys[0];
    }
    return branchesOf(written).some((branch) => branchFor(branch, branchesOf(own.type))) ? undefined : cannot;
  }

  /** Whether the wanted field itself is never null, although the path may be. */
  get isStrict(): boolean {
    return isNullable(this.field.type) && !isNullable((this.way.at(-1) as AvroField).type);
  }
}

/** Throws `contract-broken` as wantedField does, and `schema-incompatible` if the writer's values can never be read as the reader's. */
export function resolveWants(
  writer: AvroRecord,
  reader: AvroRecord,
  wants: readonly ColumnWant[],
): readonly ResolvedWant[] {
  return wants.map((want, slot) => {
    const resolved = new ResolvedWant(reader, want, slot);
    const why = resolved.whyUnreadable(writer);
    if (why !== undefined) throw new SluiceError('schema-incompatible', why);
    return resolved;
  });
}

/** Whether reading the want leaves a long of the writer's in HALVES, with `at` after it. */
export function isLongRead(written: AvroType, { want, field }: ResolvedWant): boolean {
  if (written.type !== 'long' || (want.kind !== 'number' && want.kind !== 'long')) return false;
  const chosen = readAs(written, field.type, want.kind);
  return chosen !== undefined && chosen.type !== 'null';
}
