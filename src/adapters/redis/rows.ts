/**
 * How a feature row is stored in Redis: as a hash with the key TABLE:KEY, one field per cell, named FAMILY:QUALIFIER, and beside it
 * FAMILY:QUALIFIER@ms, the time of writing in milliseconds, as text. Qualifiers and values are those of the layout.
 *
 * Promise: a row is applied as a whole or not at all, oldest cells first. A cell without a time has no known age.
 */
import { type CellPlan, type CellTarget, type FamilyPlan, placeCell } from '../../kernel/cells/feature-cells.ts';

const TIME = '@ms';

export function hashKey(table: string, key: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${table}:`), key]);
}

export function fieldOf(family: string, qualifier: string): string {
  return `${family}:${qualifier}`;
}

export function timeFieldOf(field: string): string {
  return field + TIME;
}

/** The meaning of a hash field; null: not requested. */
type Field = { readonly name: string; readonly plan: CellPlan | undefined } | null;

/** The most field names to remember: hashes whose field names are data would otherwise fill the memory. */
const MAX_KEPT_FIELDS = 1_000;

export class HashRows {
  private readonly families: ReadonlyMap<string, FamilyPlan>;
  private readonly fields = new Map<string, Field>();
  private readonly names: string[] = [];
  private readonly plans: CellPlan[] = [];
  private readonly values: Buffer[] = [];
  private readonly times: number[] = [];

  constructor(families: ReadonlyMap<string, FamilyPlan>) {
    this.families = families;
  }

  /** `reply`: fields and values by turns, as HGETALL gives them. Throws Error when it is not that. */
  apply(target: CellTarget, row: number, reply: unknown): void {
    if (!Array.isArray(reply) || reply.length % 2 !== 0 || !reply.every(Buffer.isBuffer)) {
      throw new Error('a hash did not come as fields and values');
    }
    let cells = 0;
    for (let i = 0; i < reply.length; i += 2) {
      const field = this.fieldAt(reply[i]);
      if (field?.plan === undefined) continue;
      this.names[cells] = field.name;
      this.plans[cells] = field.plan;
      this.values[cells] = reply[i + 1];
      this.times[cells++] = 0;
    }
    if (cells === 0) return;
    for (let i = 0; i < reply.length; i += 2) {
      const field = this.fieldAt(reply[i]);
      if (field === null || field.plan !== undefined) continue;
      const of = this.names.indexOf(field.name);
      const at = Number(reply[i + 1].toString('latin1'));
      if (of >= 0 && of < cells && at > 0) this.times[of] = at;
    }
    const order = Array.from({ length: cells }, (_, c) => c);
    if (cells > 1) order.sort((a, b) => this.times[a] - this.times[b]);
    for (const c of order) placeCell(target, row, this.plans[c], this.values[c], this.values[c].length, this.times[c]);
  }

  private fieldAt(bytes: Buffer): Field {
    const key = bytes.toString('latin1');
    let field = this.fields.get(key);
    if (field === undefined) {
      field = this.parse(bytes.toString('utf8'));
      if (this.fields.size < MAX_KEPT_FIELDS) this.fields.set(key, field);
    }
    return field;
  }

  private parse(text: string): Field {
    const colon = text.indexOf(':');
    const family = this.families.get(text.slice(0, colon));
    if (colon < 0 || family === undefined) return null;
    if (text.endsWith(TIME)) return { name: text.slice(0, -TIME.length), plan: undefined };
    const plan = family.cell(Buffer.from(text.slice(colon + 1)));
    return plan && { name: text, plan };
  }
}
