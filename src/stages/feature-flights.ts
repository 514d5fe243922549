import type { ReadPlan } from '../plan/plan.ts';
import type { FeatureStore } from '../ports/feature-store.ts';
import { type PersistDeps, persist } from './outage.ts';
import type { StoreHealth } from './store-health.ts';
import type { StageDeps } from './types.ts';

/** Longest time one store call may take; far below any session time-out, so that an outage is noticed and retried. */
const CALL_TIMEOUT_MS = 1_500;

/** One question to the store, for keys that nobody else is asking for. */
export interface Flight {
  readonly done: Promise<void>;
  /** Key as latin1 text → row. */
  readonly rowOf: ReadonlyMap<string, number>;
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
  answered: boolean;
  failed: boolean;
}

export interface FlightOptions {
  readonly onAnswered: (keys: readonly Buffer[], values: Float64Array, writtenAtMs: Float64Array) => void;
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

  /** Asks the store for keys that nobody else is asking for. */
  fly(unsorted: Buffer[]): Flight {
    const { table, layout, rowWidth, views } = this.read;
    const { health, onAnswered } = this.options;
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
    const deps = health === undefined ? this.deps : this.watched(health, rowOf);
    const done = persist(deps, { what: this.what, kind: 'store' }, call)
      .then(() => {
        flight.answered = true;
        onAnswered(keys, values, writtenAtMs);
      })
      .finally(() => {
        for (const key of rowOf.keys()) this.byKey.delete(key);
        flight.failed = !flight.answered;
        health?.ended(rowOf, flight.answered);
      });
    const flight: Flight = { done, rowOf, values, writtenAtMs, answered: false, failed: false };
    for (const key of rowOf.keys()) this.byKey.set(key, flight);
    return flight;
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
