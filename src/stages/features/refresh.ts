import type { Clock } from '../../kernel/clock.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { Counter } from '../../ports/telemetry.ts';
import type { StageDeps } from '../types.ts';
import type { FeatureCache, Times } from './cache.ts';
import type { KeyTable } from './keys.ts';
import { hasView } from './rows.ts';
import type { FeatureFlights, Flight } from './single-flight.ts';

/** Calls under way at a time, and keys per call: what is due beyond that is due at its next hit. */
const MAX_CALLS = 2;
const MAX_KEYS = 128;
/** A row that a call did not bring is asked for again after this, if somebody still wants it. */
const AGAIN_AFTER_MS = 5_000;
/** Rows that came together are due over this share of the time they still have. */
const SPREAD = 0.5;

/**
 * Stale-while-revalidate: a row that is requested after `refreshAfter` is used as it is, and refreshed in the background: one call for
 * all rows that a frame found due, none for a key that is already being read. Nobody waits for it, and its outcome is counted; a row
 * that nobody requests is not refreshed, and expires with its ttl.
 *
 * A start fills the cache within seconds (cause) → all rows become due within the same seconds, again and again (effect) → each row is
 * due at a random time of its own, drawn when it is stored: uniformly, because one process draws once per row; XFetch (Vattani,
 * Chierichetti, Lowenstein, 2015) draws at every look-up, so that many processes refresh a shared row about once (guard).
 */
export class FeatureRefresh {
  private readonly clock: Clock;
  private readonly cache: FeatureCache;
  private readonly flights: FeatureFlights;
  private readonly ok: Counter;
  private readonly failed: Counter;
  private due: Buffer[] = [];
  private calls = 0;

  constructor(deps: StageDeps, view: string, cache: FeatureCache, flights: FeatureFlights) {
    this.clock = deps.clock;
    this.cache = cache;
    this.flights = flights;
    this.ok = deps.telemetry.counter('sluice_cache_refreshes_total', { view, result: 'ok' });
    this.failed = deps.telemetry.counter('sluice_cache_refreshes_total', { view, result: 'failed' });
  }

  /** Key `k` was found, and is due. */
  note(keys: KeyTable, k: number, entry: number): void {
    if (this.calls >= MAX_CALLS || this.due.length >= MAX_KEYS) return;
    this.cache.postpone(entry, this.clock.monotonicMs() + AGAIN_AFTER_MS);
    const key = keys.copyKey(k);
    if (this.flights.of(key.toString('latin1')) === undefined) this.due.push(key);
  }

  /** Asks for what was noted. */
  begin(): void {
    const { due } = this;
    if (due.length === 0) return;
    this.due = [];
    this.calls++;
    const flight = this.flights.refresh(due);
    void flight.done.then(() => {
      this.calls--;
      (flight.answered ? this.ok : this.failed).add(due.length);
    });
  }
}

/** Keeps the rows that a call brought, absent ones too, but for those that have changed since it was made. */
export function rememberRows(
  cache: FeatureCache,
  { cache: settings, views }: ReadPlan,
  { keys, values, writtenAtMs, askedAtMs, outdated }: Flight,
  { clock, random }: Pick<StageDeps, 'clock' | 'random'>,
): void {
  if (settings === undefined) return;
  const nowMs = clock.monotonicMs();
  const wallMs = clock.wallMs();
  for (let row = 0; row < keys.length; row++) {
    if (outdated?.has(keys[row].toString('latin1'))) continue;
    const present = hasView(writtenAtMs, row, views.length);
    const keptMs = askedAtMs === undefined || Number.isNaN(askedAtMs[row]) ? 0 : wallMs - askedAtMs[row];
    const times = timesOf(settings, present, keptMs, nowMs, random);
    if (times.expiresAtMs > nowMs) cache.put(keys[row], values, writtenAtMs, row, present, times);
  }
}

/**
 * Of a row that is stored: fresh for its ttl; due, where the topology says so, at a moment of its own before that. One that
 * is not there has its short ttl and is not read ahead of it. One that was kept in the second level for `keptMs` is that old
 * already: it ends with its time there, and is due as much earlier.
 */
function timesOf(
  { ttlMs, negativeTtlMs, refreshAfterMs, secondLevel }: NonNullable<ReadPlan['cache']>,
  present: boolean,
  keptMs: number,
  nowMs: number,
  random: () => number,
): Times {
  const firstMs = present ? ttlMs : negativeTtlMs;
  const secondMs = present ? secondLevel?.ttlMs : secondLevel?.negativeTtlMs;
  const expiresAtMs = nowMs + (secondMs === undefined ? firstMs : Math.min(firstMs, secondMs - keptMs));
  if (!present || refreshAfterMs === undefined) return { expiresAtMs, refreshAtMs: Number.POSITIVE_INFINITY };
  const dueMs = Math.max(0, refreshAfterMs - keptMs) + random() * SPREAD * (ttlMs - refreshAfterMs);
  return { expiresAtMs, refreshAtMs: nowMs + dueMs };
}
