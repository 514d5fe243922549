/** What the suites of feature stores are made of: worlds, views, rows. */
import assert from 'node:assert/strict';
import type { NumberEncoding, ViewSpec } from '../../src/kernel/cells/views.ts';
import { SluiceError } from '../../src/kernel/errors.ts';
import type { FeatureReadResult, FeatureStore, FeatureWriter } from '../../src/ports/feature-store.ts';

export interface FeatureStoreWorld {
  readonly store: FeatureStore;
  readonly writer: FeatureWriter;
  /** From then on reads are neither answered nor refused; undefined where that cannot be had. */
  readonly stall?: () => void;
  /** Stops the store, and starts it again empty or with its contents; undefined where that is impossible. */
  readonly crash?: () => Promise<void>;
  readonly restart?: () => Promise<void>;
  stop(): Promise<void>;
}

/** What this kind of store can do. */
export interface Traits {
  /** Keeps cells with their times, and keys that are not text. */
  readonly cells: boolean;
  /** Knows which tables and families there are, and of two cells which is newer; otherwise the last write counts. */
  readonly tables: boolean;
  /** Has Feast's online store as a layout. */
  readonly feast?: boolean;
}

export const AGG: ViewSpec = {
  name: 'route',
  family: 'agg',
  columns: [
    { name: 'late_share', kind: 'number', width: 1, offset: 0 },
    { name: 'mean_delay', kind: 'number', width: 1, offset: 1 },
  ],
};
export const SLOTS: ViewSpec = {
  name: 'slots',
  family: 'slots',
  columns: [
    { name: 'n', kind: 'vector', width: 96, offset: 2 },
    { name: 'one', kind: 'vector', width: 1, offset: 98 },
  ],
};
/** Views of one cell a column; text cannot hold vectors. */
export const CELL_VIEWS = (numbers: NumberEncoding): ViewSpec[] =>
  (numbers === 'text' ? [AGG] : BOTH).map((view) => ({ ...view, numbers }));
export const WIDE: ViewSpec = {
  name: 'wide',
  family: 'wide',
  columns: [{ name: 'embedding', kind: 'vector', width: 4_096, offset: 0 }],
};
export const BOTH = [AGG, SLOTS];
export const BOTH_WIDTH = 99;

export const NO_TABLES = 'this store knows no tables and no families';
const TABLES = ['rows', 'wide', 'keys', 'many', 'numerous', 'again', 'closing'] as const;
/** Everything that the suite reads, for stores that must know beforehand. */
export const CONFORMANCE_READS = TABLES.map((table) => ({ table, views: table === 'wide' ? [WIDE] : BOTH }));

export function blank(keys: number, rowWidth: number, views: number): FeatureReadResult {
  const values = new Float64Array(keys * rowWidth).fill(Number.NaN);
  return { values, writtenAtMs: new Float64Array(keys * views).fill(Number.NaN) };
}

export function sortedKeys(keys: readonly (string | Buffer)[]): Buffer[] {
  return keys.map((key) => Buffer.from(key as string)).sort(Buffer.compare);
}

/** Numbers of a row that survive being float32, told apart by row and position. */
export function pattern(row: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => row * 8 + i / 128);
}

export function isSluice(...codes: readonly string[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof SluiceError, `${error} is not a SluiceError`);
    assert.ok(codes.includes(error.code), `${error.code} is not ${codes.join(' or ')}: ${error.message}`);
    return true;
  };
}
