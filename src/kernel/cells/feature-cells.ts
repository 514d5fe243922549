/**
 * How numbers are stored in cells, and where they go in a row.
 *
 * packed: one cell per view; its qualifier names the content, `f32:late_share,mean_delay` or `f64:n[96],l[96]`.
 * cells:  one cell per column; qualifier = column, encoded as the view's `numbers` say.
 * Little endian, like the hosts, unless stated otherwise. The meaning of a qualifier is worked out once and remembered.
 */

import { SluiceError } from '../errors.ts';
import { type CellFormat, columnFormat, encodeColumn, floatFormat } from './cell-numbers.ts';
import type { ColumnSpec, Layout, NumberEncoding, ViewSpec } from './views.ts';
import { FEAST_FAMILY } from './views.ts';

/** Where the numbers of one cell go. */
export interface CellPlan extends CellFormat {
  readonly qualifier: string;
  readonly copies: readonly Copy[];
}

export interface Copy {
  /** Index of the view. */
  readonly view: number;
  /** First number: in the cell, in the row. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface FamilyPlan {
  readonly family: string;
  /** null: a cell that nobody asks for. */
  cell(qualifier: Buffer): CellPlan | null;
}

/** The column families that views lie in, once each. */
export function familiesOf(layout: Layout, views: readonly Pick<ViewSpec, 'family'>[]): readonly string[] {
  return layout === 'feast' ? [FEAST_FAMILY] : [...new Set(views.map(({ family }) => family))];
}

/** Where the numbers of cells go, and who is told what is wrong with them. */
export interface CellTarget {
  readonly viewCount: number;
  readonly rowWidth: number;
  readonly into: { readonly values: Float64Array; readonly writtenAtMs: Float64Array };
  /** Told of each cell that does not hold what is expected of it; its numbers stay missing. */
  readonly onCorrupt: (plan: CellPlan, bytes: number) => void;
}

/** Writes the numbers of a cell of `bytes` into a row. If several cells hold the same column, the last one counts. */
export function placeCell(
  target: CellTarget,
  row: number,
  plan: CellPlan,
  value: Uint8Array,
  bytes: number,
  writtenAtMs: number,
): void {
  const numbers = bytes > plan.maxBytes ? null : plan.decode(value);
  if (numbers === null) {
    target.onCorrupt(plan, bytes);
    return;
  }
  const { into, rowWidth, viewCount } = target;
  for (const { view, from, to, count } of plan.copies) {
    const base = row * rowWidth + to;
    for (let n = 0; n < count; n++) into.values[base + n] = numbers[from + n];
    const at = row * viewCount + view;
    if (!(into.writtenAtMs[at] > writtenAtMs)) into.writtenAtMs[at] = writtenAtMs;
  }
}

/** `onUnreadable` is called once for each qualifier that is meaningless or does not match the topology. */
export type OnUnreadable = (family: string, qualifier: string, problem: string) => void;

export function planFamilies(
  layout: Layout,
  views: readonly ViewSpec[],
  onUnreadable: OnUnreadable,
): ReadonlyMap<string, FamilyPlan> {
  const families = new Map<string, FamilyPlan>();
  for (const { family } of views) {
    if (!families.has(family)) families.set(family, planFamily(layout, family, views, onUnreadable));
  }
  return families;
}

/** The most qualifiers per family whose plans are kept: rows whose qualifiers are data would fill the memory. */
const MAX_KEPT_PLANS = 1_000;

function planFamily(
  layout: Layout,
  family: string,
  views: readonly ViewSpec[],
  onUnreadable: OnUnreadable,
): FamilyPlan {
  const wanted = views.flatMap((view, index) =>
    view.family === family ? view.columns.map((column) => ({ view: index, numbers: view.numbers, column })) : [],
  );
  const plans = new Map<string, CellPlan | null>();
  const make = (qualifier: string): CellPlan | null => {
    const content = layout === 'packed' ? parseQualifier(qualifier) : cellContent(qualifier, wanted);
    if (content === undefined) {
      if (layout === 'packed') onUnreadable(family, qualifier, 'not a packed cell, f32:… or f64:…');
      return null;
    }
    const copies: Copy[] = [];
    let from = 0;
    for (const { name, width } of content.columns) {
      for (const { view, column } of wanted) {
        if (column.name !== name) continue;
        if (column.width === width) copies.push({ view, from, to: column.offset, count: width });
        else onUnreadable(family, qualifier, `${name} has ${width} numbers, the topology says ${column.width}`);
      }
      from += width;
    }
    if (copies.length === 0) return null;
    const { encoding } = content;
    const format =
      encoding === 'f32' || encoding === 'f64' ? floatFormat(from, encoding, false) : columnFormat(encoding, from);
    return { qualifier, copies, ...format };
  };
  return {
    family,
    cell(bytes) {
      const qualifier = bytes.toString('latin1');
      let plan = plans.get(qualifier);
      if (plan === undefined) {
        plan = make(Buffer.from(qualifier, 'latin1').toString('utf8'));
        if (plans.size < MAX_KEPT_PLANS) plans.set(qualifier, plan);
      }
      return plan;
    },
  };
}

interface Content {
  readonly encoding: 'f32' | 'f64' | NumberEncoding;
  readonly columns: readonly { readonly name: string; readonly width: number }[];
}

export function parseQualifier(qualifier: string): Content | undefined {
  const match = /^(f32|f64):(.+)$/s.exec(qualifier);
  if (match === null) return undefined;
  const columns: { name: string; width: number }[] = [];
  for (const part of match[2].split(',')) {
    const column = /^([^[\]]+)(?:\[([1-9]\d{0,6})\])?$/.exec(part);
    if (column === null) return undefined;
    columns.push({ name: column[1], width: column[2] === undefined ? 1 : Number(column[2]) });
  }
  return { encoding: match[1] === 'f32' ? 'f32' : 'f64', columns };
}

type Wanted = { readonly numbers: NumberEncoding | undefined; readonly column: ColumnSpec };

function cellContent(qualifier: string, wanted: readonly Wanted[]): Content | undefined {
  const found = wanted.find(({ column }) => column.name === qualifier);
  const columns = [{ name: qualifier, width: found?.column.width ?? 0 }];
  return found && { encoding: found.numbers ?? 'float-le', columns };
}

/** The qualifier under which a view is written. */
export function packedQualifier(columns: readonly ColumnSpec[]): string {
  return `f32:${columns.map(({ kind, name, width }) => (kind === 'vector' ? `${name}[${width}]` : name)).join(',')}`;
}

export interface EncodedCell {
  readonly qualifier: string;
  readonly value: Buffer;
}

/** The cells of one view of the row that begins at `base`. */
export function encodeView(layout: Layout, view: ViewSpec, values: Float64Array, base: number): EncodedCell[] {
  const numbersOf = ({ offset, width }: ColumnSpec): Float64Array =>
    values.subarray(base + offset, base + offset + width);
  if (layout === 'packed') {
    const parts = view.columns.map((column) => Buffer.from(Float32Array.from(numbersOf(column)).buffer));
    return [{ qualifier: packedQualifier(view.columns), value: Buffer.concat(parts) }];
  }
  const { numbers: encoding = 'float-le' } = view;
  return view.columns.flatMap((column) => {
    const numbers = numbersOf(column);
    if (numbers.every(Number.isNaN)) return [];
    const value = encodeColumn(encoding, numbers);
    if (value !== undefined) return [{ qualifier: column.name, value }];
    throw new SluiceError(
      'file-invalid',
      `${view.family}.${column.name}: ${numbers.find((number) => !Number.isSafeInteger(number))} cannot be written as ${encoding}; write the numbers so that it can, or choose another \`numbers\` for view "${view.name}"`,
    );
  });
}
