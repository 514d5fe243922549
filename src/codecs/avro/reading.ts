import { SluiceError } from '../../kernel/errors.ts';
import type { ColumnWant } from '../types.ts';
import { branchesOf, describe, isNullable } from './fields.ts';
import { wantedField, wayTo } from './paths.ts';
import { branchFor, findWriterField, readAs } from './resolve.ts';
import type { AvroField, AvroRecord, AvroType } from './schema.ts';

/** A want on its way through the records of the reader: at depth 0 that of the value, and one more at each step into a field. */
export class Reading {
  readonly want: ColumnWant;
  readonly slot: number;
  /** By depth the reader's field, down to the wanted one. */
  readonly way: readonly AvroField[];
  /** The wanted field, by its whole path, nullable where a step may lead nowhere. */
  readonly field: AvroField;
  /** By depth what is known of a writer's record: many branches may lead to one. */
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

  /** Names of the steps down to a depth. */
  nameAt(depth: number): string {
    return this.way
      .slice(0, depth + 1)
      .map(({ name }) => name)
      .join('.');
  }

  /** Why the field of a writer's record can never be the reader's; undefined: it can. */
  misfit(writer: AvroRecord, depth = 0): string | undefined {
    const known = this.known[depth];
    if (!known.has(writer)) known.set(writer, this.judge(writer, depth));
    return known.get(writer);
  }

  private judge(writer: AvroRecord, depth: number): string | undefined {
    const own = this.way[depth];
    const name = this.nameAt(depth);
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
    const records = branchesOf(written).filter((branch) => branch.type === 'record');
    if (records.length > 0) {
      const misfits = records.map((record) => this.misfit(record, depth + 1));
      return misfits.includes(undefined) ? undefined : misfits[0];
    }
    return branchesOf(written).some((branch) => branchFor(branch, branchesOf(own.type))) ? undefined : cannot;
  }

  /** Of the last step: whether null is none of its values, though the whole path may be null. */
  get isStrict(): boolean {
    return isNullable(this.field.type) && !isNullable((this.way.at(-1) as AvroField).type);
  }
}

/** Throws `contract-broken` as wantedField does, and `schema-incompatible` where the writer's values can never be the reader's. */
export function readingsOf(writer: AvroRecord, reader: AvroRecord, wants: readonly ColumnWant[]): readonly Reading[] {
  return wants.map((want, slot) => {
    const reading = new Reading(reader, want, slot);
    const misfit = reading.misfit(writer);
    if (misfit !== undefined) throw new SluiceError('schema-incompatible', misfit);
    return reading;
  });
}

/** Whether the want has a long of the writer's in HALVES, and `at` behind it, once it is read. */
export function isLongRead(written: AvroType, { want, field }: Reading): boolean {
  if (written.type !== 'long' || (want.kind !== 'number' && want.kind !== 'long')) return false;
  const chosen = readAs(written, field.type, want.kind);
  return chosen !== undefined && chosen.type !== 'null';
}
