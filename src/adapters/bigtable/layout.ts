/**
 * How numbers lie in cells, and where they go in a row.
 *
 * packed: one cell a view; its qualifier names the content, `f32:late_share,mean_delay` or `f64:n[96],l[96]`.
 * cells:  one cell a column; qualifier = column, float32 or float64 as the length says.
 * Little endian, as are the hosts. What a qualifier means is worked out once and remembered.
 */
import { SluiceError } from '../../kernel/errors.ts';
import type { ColumnSpec, Layout, ViewSpec } from '../../kernel/views.ts';

/** Where the numbers of one cell go. */
export interface CellPlan {
  readonly qualifier: string;
  /** Length of the cell in either width; -1 where it cannot have that width. */
  readonly bytesAsF32: number;
  readonly bytesAsF64: number;
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

/** `onUnreadable` hears once of each qualifier that says nothing, or not what the topology says. */
export type OnUnreadable = (family: string, qualifier: string, problem: string) => void;

export function planFamilies(
  layout: Layout,
  views: readonly ViewSpec[],
  onUnreadable: OnUnreadable,
): ReadonlyMap<string, FamilyPlan> {
  if (layout === 'feast') {
    throw new SluiceError(
      'topology-invalid',
      'layout "feast" cannot be read yet; load the features as "packed" or "cells"',
    );
  }
  const families = new Map<string, FamilyPlan>();
  for (const { family } of views) {
    if (!families.has(family)) families.set(family, planFamily(layout, family, views, onUnreadable));
  }
  return families;
}

/** Beyond this many qualifiers a family, plans are not kept: rows whose qualifiers are data would fill the memory. */
const MAX_KEPT_PLANS = 1_000;

function planFamily(
  layout: 'packed' | 'cells',
  family: string,
  views: readonly ViewSpec[],
  onUnreadable: OnUnreadable,
): FamilyPlan {
  const wanted = views.flatMap((view, index) =>
    view.family === family ? view.columns.map((column) => ({ view: index, column })) : [],
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
    const { f32, f64 } = content;
    return copies.length === 0
      ? null
      : { qualifier, bytesAsF32: f32 ? from * 4 : -1, bytesAsF64: f64 ? from * 8 : -1, copies };
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
  readonly f32: boolean;
  readonly f64: boolean;
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
  return { f32: match[1] === 'f32', f64: match[1] === 'f64', columns };
}

function cellContent(qualifier: string, wanted: readonly { readonly column: ColumnSpec }[]): Content | undefined {
  const found = wanted.find(({ column }) => column.name === qualifier);
  return found && { f32: true, f64: true, columns: [{ name: qualifier, width: found.column.width }] };
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
  if (layout === 'feast')
    throw new SluiceError('usage-invalid', 'layout "feast" cannot be written; use "packed" or "cells"');
  const floats = view.columns.map(({ offset, width }) =>
    Float32Array.from(values.subarray(base + offset, base + offset + width)),
  );
  const bytes = floats.map(({ buffer }) => Buffer.from(buffer));
  if (layout === 'packed') return [{ qualifier: packedQualifier(view.columns), value: Buffer.concat(bytes) }];
  return view.columns
    .map(({ name }, i) => ({ qualifier: name, value: bytes[i] }))
    .filter((_, i) => !floats[i].every(Number.isNaN));
}
