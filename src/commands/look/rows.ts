import { shortest } from '../../codecs/avro/value.ts';
import type { StoreName } from '../../kernel/cells/views.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { Topology, ViewSettings } from '../../plan/topology.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import { duration } from '../display/format.ts';
import { inLine } from '../display/safe-text.ts';
import type { Io } from '../io.ts';
import { storesOf, whereIs } from '../world/stores.ts';
import type { AnsweredBy } from './levels.ts';
import type { Paint } from './paint.ts';

/** One view of a feature row, for people and their tools. */
export interface ShownView {
  readonly view: string;
  readonly family: string;
  readonly found: boolean;
  /** ISO 8601; null if there is no row or the store does not say. */
  readonly writtenAt: string | null;
  readonly ageMs: number | null;
  readonly maxAgeMs: number | null;
  readonly stale: boolean;
  /** What the topology does with a stale view. */
  readonly onStale: ViewSettings['onStale'];
  /** Columns by name, vectors as lists; null is missing. */
  readonly columns: Readonly<Record<string, number | null | readonly (number | null)[]>>;
}

export interface ShownRow {
  readonly table: string;
  readonly key: string;
  /** Where it was looked up, for people. */
  readonly source: string;
  /** At least one of its views exists. */
  readonly found: boolean;
  /** Set if there is a second level of the cache. */
  readonly answeredBy?: AnsweredBy;
  readonly views: readonly ShownView[];
}

/** Wraps a store so that its failures say where it was looked up and what to do. */
export function tellingStore(store: FeatureStore, source: string): FeatureStore {
  const told = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      const { code, message } = classify(thrown);
      if (code !== 'store-unavailable') throw thrown;
      const remedy = 'start it, or correct its address in connections; --features DIR reads feature files instead';
      throw new SluiceError(code, `${message}; it was looked for as ${source}: ${remedy}`, thrown);
    }
  };
  return {
    open: (tables) => told(() => store.open(tables)),
    read: (read) => told(() => store.read(read)),
    close: () => store.close(),
  };
}

/** The part of a look-up that a read needs. */
export interface RowRead extends Pick<FeatureRead, 'from' | 'table' | 'layout' | 'feast' | 'rowWidth'> {
  readonly views: readonly ViewSettings[];
}

/** A row as the store returned it; NaN for missing numbers. */
export interface RawRow {
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
  /** One number: see FeatureReadResult. */
  readonly askedAtMs: Float64Array;
}

export async function readRow(store: FeatureStore, read: RowRead, key: Buffer, timeoutMs: number): Promise<RawRow> {
  const { from, table, layout, feast, views, rowWidth } = read;
  const into = {
    values: new Float64Array(rowWidth).fill(Number.NaN),
    writtenAtMs: new Float64Array(views.length).fill(Number.NaN),
    askedAtMs: new Float64Array(1).fill(Number.NaN),
  };
  await store.read({ from, table, layout, feast, keys: [key], views, rowWidth, into, timeoutMs });
  return into;
}

export function shownViews(
  { views }: RowRead,
  { values, writtenAtMs }: Pick<RawRow, 'values' | 'writtenAtMs'>,
  nowMs: number,
): ShownView[] {
  return views.map(({ name, family, columns, maxAgeMs, onStale }, v) => {
    const atMs = writtenAtMs[v];
    const found = !Number.isNaN(atMs);
    const ageMs = found && atMs > 0 ? Math.max(0, nowMs - atMs) : null;
    return {
      view: name,
      family,
      found,
      writtenAt: ageMs === null ? null : new Date(atMs).toISOString(),
      ageMs,
      maxAgeMs: maxAgeMs ?? null,
      stale: ageMs !== null && maxAgeMs !== undefined && ageMs > maxAgeMs,
      onStale,
      columns: Object.fromEntries(
        columns.map(({ name: column, kind, offset, width }) => {
          const numbers = Array.from(values.subarray(offset, offset + width), orNull);
          return [column, kind === 'vector' ? numbers : numbers[0]];
        }),
      ),
    };
  });
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : shortest(value);
}

/** What happens to a stale view. */
const STALE: Readonly<Record<ViewSettings['onStale'], string>> = {
  use: 'is used all the same',
  missing: 'counts as missing',
  'dead-letter': 'dead-letters the record',
};

/** Lines for a row, indented, one per view. */
export function rowLines({ views }: Pick<ShownRow, 'views'>, paint: Paint): string[] {
  const widest = Math.max(...views.map(({ view }) => view.length));
  return views.map(({ view, family, found, ageMs, maxAgeMs, stale, onStale, columns }) => {
    const head = `  ${paint('bold', view.padEnd(widest))}  ${paint('grey', `family ${family}`)}`;
    if (!found) return `${head}  ${paint('yellow', 'missing')}: ${Object.keys(columns).join(', ')}`;
    const age = ageMs === null ? 'age unknown' : `age ${duration(ageMs)}`;
    const isStale = stale ? paint('red', ` STALE (maxAge ${duration(maxAgeMs ?? 0)}; ${STALE[onStale]})`) : '';
    const all = Object.entries(columns).map(([name, value]) => `${name} ${valueText(value, paint)}`);
    return `${head}  ${age}${isStale}  ${all.join('  ')}`;
  });
}

const MOST_NUMBERS = 6;

export function valueText(value: number | null | readonly (number | null)[], paint: Paint): string {
  if (value === null) return paint('yellow', 'missing');
  if (typeof value === 'number') return paint('cyan', String(value));
  const first = value.slice(0, MOST_NUMBERS).map((each) => (each === null ? 'missing' : String(each)));
  const absent = value.filter((each) => each === null).length;
  const lacks = absent === 0 ? '' : `, ${absent} missing`;
  const more = value.length > MOST_NUMBERS ? ` … ${value.length} numbers${lacks}` : '';
  return paint('cyan', `[${first.join(' ')}${more}]`);
}

/** A key as text, whatever bytes it holds. */
export function keyText(key: Buffer): string {
  return inLine(key.toString('utf8'));
}

/** Where rows come from, for people. */
export function sourceText(
  reads: readonly { readonly from: StoreName }[],
  topology: Topology,
  folder: string | undefined,
  env: Io['env'],
): string {
  if (folder !== undefined) return `feature files of ${folder}`;
  return storesOf(reads)
    .map((from) => `${from} ${whereIs(from, topology, { env })}`)
    .join(', ');
}
