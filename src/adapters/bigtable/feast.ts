/**
 * Feast's online store on Bigtable: one row per entity and feature view, one cell per feature in family `features`, and the time of
 * the features in a separate cell, `event_ts`. The family of a view is the name of the feature view.
 *
 * Promise: the rows of all feature views are read, or none; the age of a view is that of its features (`event_ts`), not of the write.
 */
import type { CellPlan, FamilyPlan } from '../../kernel/cells/feature-cells.ts';
import { FEAST_FAMILY, type FeastEntity, type ViewSpec } from '../../kernel/cells/views.ts';
import type { FeatureRead, FeatureWrite } from '../../ports/feature-store.ts';
import { createEntityId, type EntityId, rowKeyOf } from './feast-keys.ts';
import { encodeFeast, feastFormat } from './feast-values.ts';
import { filterOf, type RowFilter } from './filter.ts';
import type { RowTarget } from './rows.ts';

const EVENT_TIME = 'event_ts';
const CREATED_TIME = 'created_ts';
/** ISO 8601 with microseconds and a zone. */
const MAX_TIME_BYTES = 40;

export interface FeastShape {
  readonly entityId: EntityId;
  readonly views: readonly FeastView[];
}

interface FeastView {
  /** In Feast. */
  readonly name: string;
  readonly families: ReadonlyMap<string, FamilyPlan>;
  readonly filter: RowFilter;
}

export function planFeast(entity: FeastEntity, views: readonly ViewSpec[]): FeastShape {
  const names = [...new Set(views.map(({ family }) => family))];
  return {
    entityId: createEntityId(entity),
    views: names.map((name) => {
      const of = views.filter(({ family }) => family === name);
      const columns = [...of.flatMap((view) => view.columns), TIME_COLUMN];
      return {
        name,
        families: new Map([[FEAST_FAMILY, planFamily(views, name)]]),
        filter: filterOf('cells', [{ name, family: FEAST_FAMILY, columns }]),
      };
    }),
  };
}

const TIME_COLUMN = { name: EVENT_TIME, kind: 'number', width: 1, offset: 0 } as const;
/** Holds no feature, but the time of the other cells. */
const TIME_PLAN: CellPlan = {
  qualifier: EVENT_TIME,
  copies: [],
  maxBytes: MAX_TIME_BYTES,
  expected: 'a time as ISO 8601',
  decode: () => NOTHING,
};
const NOTHING = new Float64Array(0);

function planFamily(views: readonly ViewSpec[], featureView: string): FamilyPlan {
  const plans = new Map<string, CellPlan>([[EVENT_TIME, TIME_PLAN]]);
  views.forEach(({ family, columns }, view) => {
    if (family !== featureView) return;
    for (const { name, kind, width, offset } of columns) {
      const copy = { view, from: 0, to: offset, count: width };
      const known = plans.get(name);
      if (known === undefined)
        plans.set(name, { qualifier: name, copies: [copy], ...feastFormat(width, kind === 'vector') });
      else plans.set(name, { ...known, copies: [...known.copies, copy] });
    }
  });
  return { family: FEAST_FAMILY, cell: (qualifier) => plans.get(qualifier.toString('utf8')) ?? null };
}

/** The time of a row's features; NaN if it does not say. */
function dateRow(plans: readonly CellPlan[], values: readonly Uint8Array[], cells: number): number {
  for (let i = 0; i < cells; i++) {
    if (plans[i] === TIME_PLAN) return Date.parse(Buffer.from(values[i]).toString('latin1'));
  }
  return Number.NaN;
}

/** What is to be read of each feature view, its keys in order. */
export function feastTargets(
  shape: FeastShape,
  read: FeatureRead,
  onCorrupt: RowTarget['onCorrupt'],
): { readonly filter: RowFilter; readonly target: RowTarget }[] {
  const ids = read.keys.map(shape.entityId);
  return shape.views.map(({ name, families, filter }) => {
    const asked = ids.flatMap((id, row) => (id === undefined ? [] : [{ key: rowKeyOf(id, name), row }]));
    asked.sort((a, b) => Buffer.compare(a.key, b.key));
    const { views, rowWidth, into } = read;
    const target = {
      families,
      keys: asked.map(({ key }) => key),
      rows: asked.map(({ row }) => row),
      viewCount: views.length,
      rowWidth,
      into,
      onCorrupt,
      dateRow,
    };
    return { filter, target };
  });
}

export interface FeastCells {
  readonly rowKey: Buffer;
  readonly cells: readonly { readonly qualifier: string; readonly value: Buffer }[];
}

/** The rows of one of ours; undefined: its key is no entity's. */
export function feastRows(entityId: EntityId, write: FeatureWrite, row: number): FeastCells[] | undefined {
  const { views, rowWidth, values, present, timestampMs } = write;
  const id = entityId(write.keys[row]);
  if (id === undefined) return undefined;
  const time = Buffer.from(new Date(timestampMs).toISOString().replace('Z', '000+00:00'));
  return views.flatMap((view, v) => {
    if (present[row * views.length + v] !== 1) return [];
    const cells = view.columns.flatMap(({ name, kind, width, offset }) => {
      const numbers = values.subarray(row * rowWidth + offset, row * rowWidth + offset + width);
      return numbers.every(Number.isNaN) ? [] : [{ qualifier: name, value: encodeFeast(numbers, kind === 'vector') }];
    });
    if (cells.length === 0) return [];
    const times = [EVENT_TIME, CREATED_TIME].map((qualifier) => ({ qualifier, value: time }));
    return [{ rowKey: rowKeyOf(id, view.family), cells: [...cells, ...times] }];
  });
}
