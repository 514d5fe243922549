import type { Breaker } from '../../kernel/calls/breaker.ts';
import {
  askedAtOf,
  decodeKept,
  encodeChanged,
  type KeptShape,
  keptPrefix,
  kindOfKept,
} from '../../kernel/cells/kept-rows.ts';
import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import type { FeatureRead } from '../../ports/feature-store.ts';
import type { SharedCache, SharedCacheEntry } from '../../ports/shared-cache.ts';
import type { Counter, Telemetry } from '../../ports/telemetry.ts';

/** How rows of one read are kept. */
export interface KeptSettings {
  /** The store that the rows are of, and no other. */
  readonly store: string;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly timeoutMs: number;
}

export interface KeptRowsDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly sharedCache: SharedCache;
  readonly breaker: Breaker;
}

/** Why the store was asked without a look at the shared cache, or without its answer. */
export type Bypass = 'out' | 'busy' | 'timed-out' | 'unavailable' | 'refused';

/** For so long a change is remembered on the shared cache: far longer than a row may be on its way there. */
const MARKED_MS = 60_000;
const MARK_TIMEOUT_MS = 1_000;
/** Marks under way at most: beyond that nothing older is believed, which says the same of all rows. */
const MOST_MARKS = 8_192;
/** Clocks of two machines may differ by so much. */
const CLOCKS_DIFFER_MS = 5_000;

/** Rows of one read of the plan on a shared cache: which of them are believed, and what is said of those that have changed. */
export class KeptRows {
  readonly timeoutMs: number;
  private readonly deps: KeptRowsDeps;
  private readonly shape: KeptShape;
  private readonly settings: KeptSettings;
  private readonly prefix: Buffer;
  /** Rows whose stores were asked before that, by the wall clock, are not believed. */
  private floorMs = Number.NEGATIVE_INFINITY;
  /** Keys whose marks are on their way, with how many. */
  private readonly marking = new Map<string, number>();
  private readonly results: Readonly<Record<'hit' | 'negative-hit' | 'miss' | 'outdated' | 'unreadable', Counter>>;
  private readonly bypassing: (reason: Bypass) => Counter;
  private readonly marked: Counter;
  private readonly unmarked: Counter;

  constructor(deps: KeptRowsDeps, shape: KeptShape, settings: KeptSettings) {
    this.deps = deps;
    this.shape = shape;
    this.settings = settings;
    this.timeoutMs = settings.timeoutMs;
    this.prefix = keptPrefix(settings.store, shape);
    const { telemetry } = deps;
    const view = shape.views.map(({ name }) => name).join('+');
    const by = (result: string) => telemetry.counter('sluice_second_level_requests_total', { view, result });
    this.results = {
      hit: by('hit'),
      'negative-hit': by('negative-hit'),
      miss: by('miss'),
      outdated: by('outdated'),
      unreadable: by('unreadable'),
    };
    this.bypassing = (reason) => telemetry.counter('sluice_second_level_bypasses_total', { view, reason });
    this.marked = telemetry.counter('sluice_second_level_invalidations_total', { view, result: 'marked' });
    this.unmarked = telemetry.counter('sluice_second_level_invalidations_total', { view, result: 'unmarked' });
  }

  keysOf(keys: readonly Buffer[]): Buffer[] {
    return keys.map((key) => Buffer.concat([this.prefix, key]));
  }

  get writing() {
    const { views, rowWidth } = this.shape;
    const { ttlMs, negativeTtlMs } = this.settings;
    return { prefix: this.prefix, rowWidth, views: views.length, ttlMs, negativeTtlMs };
  }

  /** All keys go to the store. */
  bypassed(keys: readonly Buffer[], reason: Bypass): number[] {
    this.bypassing(reason).add(keys.length);
    return keys.map((_, k) => k);
  }

  /** Copies what is believed of `answers`, one per key; gives the indexes of the others. */
  take(read: FeatureRead, answers: readonly (Buffer | null)[]): number[] {
    const nowMs = this.deps.clock.wallMs();
    const { keys, into, rowWidth, views } = read;
    const left: number[] = [];
    for (let k = 0; k < keys.length; k++) {
      const bytes = answers[k];
      const result = this.judge(bytes, keys[k], read.keptWithinMs ?? Number.POSITIVE_INFINITY, nowMs);
      this.results[result].add(1);
      if (bytes === null || (result !== 'hit' && result !== 'negative-hit')) {
        left.push(k);
        continue;
      }
      if (result === 'hit') decodeKept(bytes, into, k, rowWidth, views.length);
      if (into.askedAtMs !== undefined) into.askedAtMs[k] = Math.min(nowMs, askedAtOf(bytes));
    }
    return left;
  }

  private judge(bytes: Buffer | null, key: Buffer, withinMs: number, nowMs: number): keyof KeptRows['results'] {
    if (bytes === null) return 'miss';
    const { settings } = this;
    const kind = kindOfKept(bytes, this.shape.rowWidth, this.shape.views.length);
    if (kind === 'unreadable') return kind;
    if (kind === 'changed' || (this.marking.size > 0 && this.marking.has(key.toString('latin1')))) return 'outdated';
    const askedAtMs = askedAtOf(bytes);
    const ageMs = nowMs - askedAtMs;
    const ttlMs = kind === 'row' ? settings.ttlMs : settings.negativeTtlMs;
    // From the future: nobody can say how old it is.
    const believed = ageMs < Math.min(ttlMs, withinMs) && ageMs >= -CLOCKS_DIFFER_MS && askedAtMs > this.floorMs;
    if (!believed) return 'outdated';
    return kind === 'row' ? 'hit' : 'negative-hit';
  }

  /** These rows have changed; without keys any may have. */
  forget(keys: readonly Buffer[] | undefined): void {
    if (keys?.length === 0) return;
    const tooMany = keys !== undefined && this.marking.size + keys.length > MOST_MARKS;
    if (keys !== undefined && !tooMany && !this.deps.breaker.open) {
      void this.mark(keys);
      return;
    }
    this.unmarked.add(keys?.length ?? 0);
    this.believeNothing();
  }

  private believeNothing(): void {
    this.floorMs = this.deps.clock.wallMs() + CLOCKS_DIFFER_MS;
  }

  private async mark(keys: readonly Buffer[]): Promise<void> {
    const { clock, sharedCache, breaker } = this.deps;
    const value = encodeChanged(clock.wallMs());
    const entries = this.keysOf(keys).map((key): SharedCacheEntry => ({ key, value, ttlMs: MARKED_MS }));
    const names = keys.map((key) => key.toString('latin1'));
    for (const name of names) this.marking.set(name, (this.marking.get(name) ?? 0) + 1);
    try {
      const inTime = await within(clock, deadlineIn(clock, MARK_TIMEOUT_MS), sharedCache.mark(entries));
      if (!inTime) throw new Error(`${sharedCache.where} did not answer within ${MARK_TIMEOUT_MS} ms`);
      this.marked.add(keys.length);
    } catch (thrown) {
      // The old rows may stand there: from here on they are too old.
      this.believeNothing();
      this.unmarked.add(keys.length);
      breaker.failed(thrown);
    } finally {
      for (const name of names) this.unname(name);
    }
  }

  private unname(name: string): void {
    const left = (this.marking.get(name) ?? 1) - 1;
    if (left > 0) this.marking.set(name, left);
    else this.marking.delete(name);
  }
}
