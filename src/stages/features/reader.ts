import { murmur2 } from '../../kernel/bytes/murmur2.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Conditions } from '../../kernel/conditions.ts';
import { DEFAULT_FEATURES, STALE_CACHE } from '../../kernel/degraded.ts';
import { classify } from '../../kernel/errors.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { ChangeListener } from '../../ports/changelog.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { Counter } from '../../ports/telemetry.ts';
import type { StageDeps } from '../types.ts';
import { copyRow, FeatureCache } from './cache.ts';
import { createChanges } from './changes.ts';
import type { KeyTable } from './keys.ts';
import { FeatureRefresh, rememberRows } from './refresh.ts';
import type { Relief } from './relief.ts';
import { blankRow, type DistinctRows, degradeRow, RowPool } from './rows.ts';
import { FeatureFlights, type Flight } from './single-flight.ts';
import { StoreHealth } from './store-health.ts';

/** During an outage of the store, how often a frame's keys are requested anyway, without anybody waiting for them. */
const PROBE_EVERY_MS = 2_000;
const MAX_PROBES = 4;

/**
 * Reads the rows of a frame's distinct keys for one read of the plan: from the cache, from a call of another frame in flight (single
 * flight), or from the store. A store that is down holds the frame.
 *
 * If the topology allows it, and the ladder or an outage of the store requires it, expired rows are used up to a limit, and then rows
 * count as missing: each such row is marked in `degraded`, and none enters the cache.
 */
export class FeatureReader {
  /** Handles changed rows; undefined if no rows are cached. */
  readonly changes: ChangeListener | undefined;
  private readonly clock: Clock;
  private readonly read: ReadPlan;
  private readonly relief: Relief | undefined;
  private readonly health: StoreHealth | undefined;
  private readonly cache: FeatureCache | undefined;
  private readonly flights: FeatureFlights;
  private readonly refreshes: FeatureRefresh | undefined;
  private readonly conditions: Conditions;
  private readonly staleHits: Counter | undefined;
  private readonly defaults: Counter | undefined;
  private readonly hits: Counter;
  private readonly negativeHits: Counter;
  private readonly misses: Counter;
  private readonly shared: Counter;
  private readonly rows: RowPool;
  /** Frames that wait for the store, with a function that makes each check again. */
  private held = 0;
  private waiting = new Set<() => void>();
  private probeAtMs = Number.NEGATIVE_INFINITY;
  /** The permanent error of a probe, for the next frame that has to ask the store. */
  private refusal: unknown;

  constructor(deps: StageDeps & { readonly store: FeatureStore }, read: ReadPlan, relief?: Relief) {
    this.clock = deps.clock;
    this.conditions = deps.conditions;
    this.read = read;
    this.rows = new RowPool(read);
    this.relief = relief;
    const { cache, rowWidth, views } = read;
    this.cache = cache && new FeatureCache({ entries: cache.entries, rowWidth, views: views.length });
    const view = views.map(({ name }) => name).join('+');
    const requests = (result: string): Counter =>
      deps.telemetry.counter('sluice_cache_requests_total', { view, result });
    this.hits = requests('hit');
    this.negativeHits = requests('negative-hit');
    this.misses = requests('miss');
    this.shared = requests('shared');
    this.staleHits = relief && requests('stale');
    this.defaults = relief && requests('default');
    if (relief !== undefined) {
      this.health = new StoreHealth(deps.clock, (out, why) => {
        relief.storeIs(out, this, this.flights.what, why);
        this.wake();
      });
      relief.onTaken(() => this.wake());
    }
    const { cache: kept } = this;
    const onAnswered = (flight: Flight): void => kept && rememberRows(kept, read, flight, deps);
    this.flights = new FeatureFlights(deps, read, { onAnswered, health: this.health, held: () => this.held });
    if (this.cache !== undefined && cache?.refreshAfterMs !== undefined)
      this.refreshes = new FeatureRefresh(deps, view, this.cache, this.flights);
    if (this.cache !== undefined && cache?.invalidateBy !== undefined)
      this.changes = createChanges(deps, view, this.cache, this.flights);
  }

  /** Synchronous if the store need not be asked. */
  rowsFor(keys: KeyTable): DistinctRows | Promise<DistinctRows> {
    const rows = this.rows.take(keys.distinct + 1);
    const missing = this.fromCache(keys, rows);
    if (missing === undefined) return rows;
    if (this.mayGive('default-features')) return this.withDefaults(missing, rows);
    return this.fromStore(missing, rows);
  }

  /** Takes back rows that nobody will read again. */
  recycle(rows: Pick<DistinctRows, 'values' | 'writtenAtMs'>): void {
    this.rows.recycle(rows);
  }

  private mayGive(step: 'stale-cache' | 'default-features'): boolean {
    const { relief, health } = this;
    if (relief === undefined || health === undefined) return false;
    const declared = step === 'stale-cache' ? relief.staleMs > 0 : relief.defaults;
    return declared && (health.out || relief.inForce(step));
  }

  /** Copies cached rows; returns the others, with their keys. */
  private fromCache(keys: KeyTable, rows: DistinctRows): Miss[] | undefined {
    const { cache, read } = this;
    blankRow(rows, 0, read);
    const nowMs = this.clock.monotonicMs();
    const absent = cache === undefined ? keys.distinct : cache.findAll(keys, nowMs);
    if (cache !== undefined) this.copyFound(cache, keys, rows, nowMs);
    if (absent === 0) return undefined;
    const mayBeStale = this.mayGive('stale-cache');
    let missing: Miss[] | undefined;
    for (let k = 0; k < keys.distinct; k++) {
      if (cache !== undefined && cache.found[k] >= 0) continue;
      if (mayBeStale && this.stale(keys.bytes, keys.starts[k], keys.ends[k], keys.hashes[k], rows, k + 1)) continue;
      blankRow(rows, k + 1, read);
      missing ??= [];
      missing.push({ key: keys.copyKey(k), row: k + 1 });
    }
    return missing;
  }

  private copyFound(cache: FeatureCache, keys: KeyTable, rows: DistinctRows, nowMs: number): void {
    const { refreshes } = this;
    const { values, writtenAtMs } = rows;
    const { distinct } = keys;
    const { found } = cache;
    let hits = 0;
    let negativeHits = 0;
    for (let k = 0; k < distinct; k++) {
      const entry = found[k];
      if (entry < 0) continue;
      cache.copyTo(entry, values, writtenAtMs, k + 1);
      if (cache.isPresent(entry)) hits++;
      else negativeHits++;
    }
    this.hits.add(hits);
    this.negativeHits.add(negativeHits);
    if (refreshes === undefined) return;
    for (let k = 0; k < distinct; k++) {
      if (found[k] >= 0 && cache.isDue(found[k], nowMs)) refreshes.note(keys, k, found[k]);
    }
    refreshes.begin();
  }

  /** Fills a row from an entry beyond its ttl but within the limit; false if there is none. */
  private stale(bytes: Buffer, start: number, end: number, hash: number, rows: DistinctRows, row: number): boolean {
    const { cache, read, relief } = this;
    if (cache === undefined || read.cache === undefined || relief === undefined) return false;
    const limitMs = this.clock.monotonicMs() - relief.staleMs;
    // Under some policies an absent row dead-letters or drops the record, so absence must not be assumed beyond its ttl.
    const believed = read.onMissing.every((policy) => policy === 'impute');
    const absentMs = believed ? limitMs + read.cache.negativeTtlMs : Number.POSITIVE_INFINITY;
    const entry = cache.findStale(bytes, start, end, hash, limitMs + read.cache.ttlMs, absentMs);
    if (entry < 0) return false;
    cache.copyTo(entry, rows.values, rows.writtenAtMs, row);
    degradeRow(rows, row, STALE_CACHE);
    this.staleHits?.add(1);
    return true;
  }

  /** A blank row already means missing; it only has to be marked as not read from the store. */
  private withDefaults(missing: readonly Miss[], rows: DistinctRows): DistinctRows {
    for (const { row } of missing) degradeRow(rows, row, DEFAULT_FEATURES);
    this.defaults?.add(missing.length);
    this.probe(missing);
    return rows;
  }

  /** A single call that fails for ever must not be the only way to notice that the store is back. */
  private probe(missing: readonly Miss[]): void {
    const nowMs = this.clock.monotonicMs();
    const { health } = this;
    if (health?.out !== true || health.failing >= MAX_PROBES || nowMs < this.probeAtMs) return;
    this.probeAtMs = nowMs + PROBE_EVERY_MS;
    const own = missing.filter(({ key }) => this.flights.of(key.toString('latin1')) === undefined);
    if (own.length === 0) return;
    this.flights.fly(own.map(({ key }) => key)).done.catch((thrown) => {
      this.refusal = thrown;
    });
  }

  private async fromStore(missing: readonly Miss[], rows: DistinctRows): Promise<DistinctRows> {
    if (this.refusal !== undefined) {
      const { refusal } = this;
      this.refusal = undefined;
      throw refusal;
    }
    let open = this.ask(missing);
    this.held++;
    try {
      while (open.length > 0) {
        try {
          await this.answer(open);
        } catch (thrown) {
          open = this.askAgain(open, thrown);
        }
        open = this.askAnew(open.filter((wait) => !this.settle(wait, rows)));
      }
    } finally {
      this.held--;
      if (this.held === 0 && this.relief !== undefined) this.conditions.clear(this.flights.what, this.read);
    }
    return rows;
  }

  private ask(missing: readonly Miss[]): Wait[] {
    const own: Miss[] = [];
    const open: Wait[] = [];
    for (const miss of missing) {
      const flight = this.flights.of(miss.key.toString('latin1'));
      if (flight === undefined) own.push(miss);
      else open.push({ flight, miss, shared: true });
    }
    if (this.cache !== undefined) {
      this.shared.add(open.length);
      this.misses.add(own.length);
    }
    if (own.length > 0) {
      const flight = this.flights.fly(own.map(({ key }) => key));
      for (const miss of own) open.push({ flight, miss, shared: false });
    }
    return open;
  }

  /**
   * A call may fail because of one of its keys, which belongs to another frame (cause) → the search for the record at fault would blame
   * records of this frame (effect) → if another frame's call fails unexpectedly, its keys are requested again (guard).
   */
  private askAgain(open: readonly Wait[], thrown: unknown): Wait[] {
    const broken = open.filter(({ flight }) => flight.failed && !flight.background);
    if (classify(thrown).code !== 'unexpected' || broken.some(({ shared }) => !shared)) throw thrown;
    return this.askFor(broken, open);
  }

  /** Keys that a background call did not bring are requested as if there had been no such call. */
  private askAnew(open: Wait[]): Wait[] {
    const broken = open.filter(({ flight }) => flight.failed && flight.background);
    return broken.length === 0 ? open : this.askFor(broken, open);
  }

  private askFor(broken: readonly Wait[], open: readonly Wait[]): Wait[] {
    return [...open.filter((wait) => !broken.includes(wait)), ...this.ask(broken.map(({ miss }) => miss))];
  }

  /** Resolves when the store has answered, or when something may be given up; rejects when it never will. */
  private answer(open: readonly Wait[]): Promise<unknown> {
    const all = Promise.all(new Set(open.map(({ flight }) => flight.done)));
    if (this.relief === undefined) return all;
    return new Promise<void>((resolve, reject) => {
      this.waiting.add(resolve);
      void all.then(() => resolve(), reject).finally(() => this.waiting.delete(resolve));
    });
  }

  /** Fills a row with what is available by now; false if there is nothing yet. */
  private settle({ flight, miss }: Wait, rows: DistinctRows): boolean {
    const { rowWidth, views } = this.read;
    if (flight.answered) {
      const from = flight.rowOf.get(miss.key.toString('latin1')) as number;
      copyRow(flight.values, from, rows.values, miss.row, rowWidth);
      copyRow(flight.writtenAtMs, from, rows.writtenAtMs, miss.row, views.length);
      return true;
    }
    const { key, row } = miss;
    if (this.mayGive('stale-cache') && this.stale(key, 0, key.length, murmur2(key, 0, key.length), rows, row))
      return true;
    if (!this.mayGive('default-features')) return false;
    degradeRow(rows, row, DEFAULT_FEATURES);
    this.defaults?.add(1);
    return true;
  }

  /** Makes every waiting frame check whether it still has to wait. */
  private wake(): void {
    const { waiting } = this;
    this.waiting = new Set();
    for (const lookAgain of waiting) lookAgain();
  }
}

interface Miss {
  readonly key: Buffer;
  readonly row: number;
}

interface Wait {
  readonly flight: Flight;
  readonly miss: Miss;
  /** Another frame made the call. */
  readonly shared: boolean;
}
