import type { ReadPlan } from '../../plan/plan.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import { type PersistDeps, persist } from '../outage.ts';
import type { StageDeps } from '../types.ts';
import type { StoreHealth } from './store-health.ts';

/** Longest time one store call may take; far below any session time-out, so that an outage is noticed and retried. */
const CALL_TIMEOUT_MS = 1_500;

/** One question to the store, for keys that nobody else is asking for. */
export interface Flight {
  readonly done: Promise<void>;
  readonly keys: readonly Buffer[];
  /** Key as latin1 text → row. */
  readonly rowOf: ReadonlyMap<string, number>;
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
  /** With a second level, keys: wall ms at which the store was asked for a row that was kept there, otherwise NaN. */
  readonly askedAtMs: Float64Array | undefined;
  answered: boolean;
  failed: boolean;
  /** Made for the cache: it is not repeated, and `done` never rejects; who shares it asks anew where it failed. */
  readonly background: boolean;
  /** Keys whose row changed after it was asked for: what it brings of them is for those who asked, and not to be kept. */
  outdated: Set<string> | undefined;
}

export interface FlightOptions {
  readonly onAnswered: (flight: Flight) => void;
  /** Told of failures, where an outage may be answered otherwise than by waiting. */
  readonly health: StoreHealth | undefined;
  /** Frames that wait for the store. */
  readonly held: () => number;
}

/**
 * Calls on the store that are under way, by key: a key is asked for once, whoever wants it shares the answer.
 * A call goes on until the store answers, also when nobody waits for it any more: what it brings is for the next one.
 */
export class FeatureFlights {
  private readonly deps: StageDeps & { readonly store: FeatureStore };
  private readonly read: ReadPlan;
  private readonly options: FlightOptions;
  private readonly byKey = new Map<string, Flight>();

  constructor(deps: StageDeps & { readonly store: FeatureStore }, read: ReadPlan, options: FlightOptions) {
    this.deps = deps;
    this.read = read;
    this.options = options;
  }

  of(key: string): Flight | undefined {
    return this.byKey.get(key);
  }

  /** Asks the store for keys that nobody else is asking for, until it answers. */
  fly(keys: Buffer[]): Flight {
    return this.launch(keys, false);
  }

  /** Asks once, for the cache alone: failing is its own affair, no outage and no condition of the pipeline. */
  refresh(keys: Buffer[]): Flight {
    return this.launch(keys, true);
  }

  private launch(unsorted: Buffer[], background: boolean): Flight {
    const { from, table, layout, feast, rowWidth, views, cache } = this.read;
    const { health, onAnswered } = this.options;
    const keys = unsorted.sort(Buffer.compare);
    const values = new Float64Array(keys.length * rowWidth);
    const writtenAtMs = new Float64Array(keys.length * views.length);
    const askedAtMs = cache?.secondLevel && new Float64Array(keys.length);
    const rowOf = new Map(keys.map((key, row) => [key.toString('latin1'), row]));
    const call = async (): Promise<void> => {
      // A try that failed half-way must leave nothing behind for the next.
      values.fill(Number.NaN);
      writtenAtMs.fill(Number.NaN);
      askedAtMs?.fill(Number.NaN);
      const into = { values, writtenAtMs, askedAtMs };
      await this.deps.store.read({
        from,
        table,
        layout,
        feast,
        keys,
        views,
        rowWidth,
        into,
        timeoutMs: CALL_TIMEOUT_MS,
        // Read anew because of its age: what others have read lately will do.
        keptWithinMs: background ? cache?.refreshAfterMs : undefined,
      });
    };
    const asked = background ? call() : this.persisted(call, rowOf);
    const done = asked
      .then(() => {
        flight.answered = true;
        onAnswered(flight);
      })
      .finally(() => {
        for (const key of rowOf.keys()) if (this.byKey.get(key) === flight) this.byKey.delete(key);
        flight.failed = !flight.answered;
        if (!background) health?.ended(rowOf, flight.answered);
      });
    const flight: Flight = {
      done: background ? done.catch(() => undefined) : done,
      keys,
      rowOf,
      values,
      writtenAtMs,
      askedAtMs,
      background,
      answered: false,
      failed: false,
      outdated: undefined,
    };
    for (const key of rowOf.keys()) this.byKey.set(key, flight);
    return flight;
  }

  private persisted(call: () => Promise<void>, rowOf: object): Promise<void> {
    const { health } = this.options;
    const deps = health === undefined ? this.deps : this.watched(health, rowOf);
    return persist(deps, { what: this.what, kind: 'store' }, call);
  }

  /** The row of a key has changed: a call under way may bring the old one, which is neither kept nor given to who asks from here on. */
  outdate(key: string): void {
    const flight = this.byKey.get(key);
    if (flight === undefined) return;
    flight.outdated ??= new Set();
    flight.outdated.add(key);
    this.byKey.delete(key);
  }

  /** All rows may have. */
  outdateAll(): void {
    for (const key of [...this.byKey.keys()]) this.outdate(key);
  }

  /** What is kept of rows beside the store is not to be given any more: of these, or of all. */
  forget(keys?: readonly Buffer[]): void {
    this.deps.store.forget?.(this.read, keys);
  }

  /** What waits, for people. */
  get what(): string {
    return `store ${this.read.table}`;
  }

  /** Failures go to the store's health; they are a condition of the pipeline only while frames wait for an answer. */
  private watched(health: StoreHealth, call: object): PersistDeps {
    const { conditions, clock } = this.deps;
    const startedMs = clock.monotonicMs();
    let failed = false;
    return {
      ...this.deps,
      conditions: {
        set: (what, why) => {
          failed = true;
          health.failed(call, startedMs, why);
          if (this.options.held() > 0) conditions.set(what, why, this.read);
        },
        clear: (what) => {
          conditions.clear(what, this.read);
          return failed && health.failing === 1;
        },
      },
    };
  }
}
