import type { Clock } from '../kernel/clock.ts';
import type { ReadPlan } from '../plan/plan.ts';
import type { FeatureStore } from '../ports/feature-store.ts';
import type { Counter } from '../ports/telemetry.ts';
import type { KeyTable } from './enrich-keys.ts';
import { copyRow, FeatureCache } from './feature-cache.ts';
import { persist } from './outage.ts';
import type { StageDeps } from './types.ts';

/** The distinct rows of one frame: row 0 is the row that is not there, row k + 1 belongs to distinct key k. */
export interface DistinctRows {
  /** Rows in use; the slabs may hold more. */
  count: number;
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
}

/** Frames whose rows are used at a time: each is read, and done with, before the next one's turn. */
const MAX_SPARE = 4;
/** Frames differ a little in distinct keys: their rows come in sizes that fit the next one too. */
const ROWS_STEP = 128;

/** Longest time one store call may take; far below any session time-out, so that an outage is noticed and retried. */
const CALL_TIMEOUT_MS = 1_500;

/**
 * Answers the distinct keys of a frame for one read of the plan: from the cache, from a call that another frame has
 * under way (single flight), or from the store. Never a partial answer: a store that is down holds the frame.
 */
export class FeatureReader {
  private readonly deps: StageDeps & { readonly store: FeatureStore };
  private readonly clock: Clock;
  private readonly read: ReadPlan;
  private readonly cache: FeatureCache | undefined;
  /** Keys under way, as latin1 text. Only misses get here. */
  private readonly flights = new Map<string, Flight>();
  private readonly spare: DistinctRows[] = [];
  private readonly hits: Counter;
  private readonly negativeHits: Counter;
  private readonly misses: Counter;
  private readonly shared: Counter;

  constructor(deps: StageDeps & { readonly store: FeatureStore }, read: ReadPlan) {
    this.deps = deps;
    this.clock = deps.clock;
    this.read = read;
    const { cache, rowWidth, views } = read;
    this.cache = cache && new FeatureCache({ entries: cache.entries, rowWidth, views: views.length });
    const view = views.map(({ name }) => name).join('+');
    const requests = (result: string): Counter =>
      deps.telemetry.counter('sluice_cache_requests_total', { view, result });
    this.hits = requests('hit');
    this.negativeHits = requests('negative-hit');
    this.misses = requests('miss');
    this.shared = requests('shared');
  }

  /** Synchronous when the cache answers for every key. */
  rowsFor(keys: KeyTable): DistinctRows | Promise<DistinctRows> {
    const rows = this.take(keys.distinct + 1);
    const missing = this.fromCache(keys, rows);
    return missing === undefined ? rows : this.fromStore(missing, rows);
  }

  /** Takes rows back that nobody will read again: fresh memory of this size costs as much as filling it. */
  recycle({ values, writtenAtMs }: Omit<DistinctRows, 'count'>): void {
    if (this.spare.length < MAX_SPARE) this.spare.push({ count: 0, values, writtenAtMs });
  }

  private take(count: number): DistinctRows {
    const { rowWidth, views } = this.read;
    const last = this.spare.pop();
    if (last !== undefined && last.values.length >= count * rowWidth) {
      last.count = count;
      return last;
    }
    const capacity = Math.ceil(count / ROWS_STEP) * ROWS_STEP;
    return {
      count,
      values: new Float64Array(capacity * rowWidth),
      writtenAtMs: new Float64Array(capacity * views.length),
    };
  }

  /** Copies what the cache has; returns the rows that it has not, with their keys. */
  private fromCache(keys: KeyTable, rows: DistinctRows): Miss[] | undefined {
    const { cache, read } = this;
    const nowMs = this.clock.monotonicMs();
    let missing: Miss[] | undefined;
    let hits = 0;
    let negativeHits = 0;
    blankRow(rows, 0, read);
    for (let k = 0; k < keys.distinct; k++) {
      const entry = cache ? cache.find(keys.bytes, keys.starts[k], keys.ends[k], keys.hashes[k], nowMs) : -1;
      if (entry >= 0 && cache !== undefined) {
        cache.copyTo(entry, rows.values, rows.writtenAtMs, k + 1);
        if (cache.isPresent(entry)) hits++;
        else negativeHits++;
      } else {
        blankRow(rows, k + 1, read);
        missing ??= [];
        missing.push({ key: keys.copyKey(k), row: k + 1 });
      }
    }
    this.hits.add(hits);
    this.negativeHits.add(negativeHits);
    return missing;
  }

  private async fromStore(missing: Miss[], rows: DistinctRows): Promise<DistinctRows> {
    const { rowWidth, views } = this.read;
    const own: Miss[] = [];
    const waits = new Set<Promise<unknown>>();
    const answers: { readonly flight: Flight; readonly miss: Miss }[] = [];
    for (const miss of missing) {
      const flight = this.flights.get(miss.key.toString('latin1'));
      if (flight === undefined) own.push(miss);
      else {
        waits.add(flight.done);
        answers.push({ flight, miss });
      }
    }
    if (this.cache !== undefined) this.shared.add(answers.length);
    if (own.length > 0) {
      if (this.cache !== undefined) this.misses.add(own.length);
      const flight = this.fly(own.map(({ key }) => key));
      waits.add(flight.done);
      for (const miss of own) answers.push({ flight, miss });
    }
    await Promise.all(waits);
    for (const { flight, miss } of answers) {
      const from = flight.rowOf.get(miss.key.toString('latin1')) as number;
      copyRow(flight.values, from, rows.values, miss.row, rowWidth);
      copyRow(flight.writtenAtMs, from, rows.writtenAtMs, miss.row, views.length);
    }
    return rows;
  }

  /** Asks the store for keys that nobody else is asking for. */
  private fly(unsorted: Buffer[]): Flight {
    const { table, layout, rowWidth, views } = this.read;
    const keys = unsorted.sort(Buffer.compare);
    const values = new Float64Array(keys.length * rowWidth);
    const writtenAtMs = new Float64Array(keys.length * views.length);
    const rowOf = new Map(keys.map((key, row) => [key.toString('latin1'), row]));
    const call = (): Promise<void> => {
      // A try that failed half-way must leave nothing behind for the next.
      values.fill(Number.NaN);
      writtenAtMs.fill(Number.NaN);
      const into = { values, writtenAtMs };
      return this.deps.store.read({ table, layout, keys, views, rowWidth, into, timeoutMs: CALL_TIMEOUT_MS });
    };
    const done = persist(this.deps, { what: `store ${table}`, kind: 'store' }, call)
      .then(() => this.remember(keys, values, writtenAtMs))
      .finally(() => {
        for (const key of rowOf.keys()) this.flights.delete(key);
      });
    const flight: Flight = { done, rowOf, values, writtenAtMs };
    for (const key of rowOf.keys()) this.flights.set(key, flight);
    return flight;
  }

  private remember(keys: readonly Buffer[], values: Float64Array, writtenAtMs: Float64Array): void {
    const { cache, read } = this;
    if (cache === undefined || read.cache === undefined) return;
    const nowMs = this.clock.monotonicMs();
    for (let row = 0; row < keys.length; row++) {
      const present = hasView(writtenAtMs, row, read.views.length);
      const ttlMs = present ? read.cache.ttlMs : read.cache.negativeTtlMs;
      if (ttlMs > 0) cache.put(keys[row], values, writtenAtMs, row, present, nowMs + ttlMs);
    }
  }
}

interface Miss {
  readonly key: Buffer;
  readonly row: number;
}

interface Flight {
  readonly done: Promise<void>;
  readonly rowOf: ReadonlyMap<string, number>;
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
}

function blankRow(rows: DistinctRows, row: number, read: ReadPlan): void {
  rows.values.fill(Number.NaN, row * read.rowWidth, (row + 1) * read.rowWidth);
  rows.writtenAtMs.fill(Number.NaN, row * read.views.length, (row + 1) * read.views.length);
}

function hasView(writtenAtMs: Float64Array, row: number, views: number): boolean {
  for (let v = 0; v < views; v++) if (!Number.isNaN(writtenAtMs[row * views + v])) return true;
  return false;
}
