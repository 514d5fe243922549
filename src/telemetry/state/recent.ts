import type { Letter } from './dead-letters.ts';
import { newest } from './dead-letters.ts';
import { eventStates, Growth, tallies } from './growth.ts';
import { History } from './history.ts';
import { Partitions } from './partitions.ts';
import { added, figure, mean, perSecond, quantile, type Reading } from './reading.ts';
import { pathState } from './stages.ts';
import type { CacheState, HealthState, ModelState, Quantiles, RecordsState, State } from './state.ts';

/** Number of readings that rates and quantiles cover. */
const WINDOW = 5;

const TOLD = [
  'sluice_dead_letters_total',
  'sluice_degraded_records_total',
  'sluice_retries_total',
  'sluice_pauses_total',
  'sluice_events_total',
] as const;

/** The part of `State` that comes from a pipeline; the rest is the process's. */
export type Seen = Omit<State, 'version' | 'atMs' | 'topology' | 'process' | 'instances' | 'instance'>;

/** One pipeline, or several together, over the last readings. */
export class Recent {
  private readonly readings: Reading[] = [];
  private readonly history = new History();
  private readonly growth = new Growth(TOLD);
  private readonly partitions = new Partitions();
  private health: HealthState = { live: true, ready: false, waits: ['starting'] };
  private letters: readonly (readonly Letter[])[] = [];

  look(reading: Reading, wallMs: number, health: HealthState, letters: readonly (readonly Letter[])[]): void {
    this.readings.push(reading);
    if (this.readings.length > WINDOW + 1) this.readings.shift();
    this.health = health;
    this.letters = letters;
    this.history.look(reading, wallMs);
    this.growth.look(reading, wallMs);
    this.partitions.look(reading, wallMs);
  }

  /** Undefined before the first reading. */
  state(wallMs: number, afterMs: number): Seen | undefined {
    const now = this.readings.at(-1);
    if (now === undefined) return undefined;
    const before = this.readings[0];
    const elapsedMs = now.atMonotonicMs - before.atMonotonicMs;
    const since = (name: string) => added(now.spread(name), before.spread(name));
    const quantiles = (name: string): Quantiles => ({
      p50: quantile(since(name), 0.5),
      p99: quantile(since(name), 0.99),
    });
    const batches = since('sluice_batch_rows');
    const told = (name: (typeof TOLD)[number]) => tallies(name, now, before, this.growth);
    return {
      health: this.health,
      model: modelState(now),
      path: pathState(now, before),
      records: recordsState(now, before),
      credit: {
        records: now.sum('sluice_inflight_records') ?? 0,
        limitRecords: now.sum('sluice_inflight_limit_records'),
        bytes: now.sum('sluice_inflight_bytes') ?? 0,
        limitBytes: now.sum('sluice_inflight_limit_bytes'),
      },
      latency: { residence: quantiles('sluice_residence_seconds'), age: quantiles('sluice_record_age_seconds') },
      batches: {
        perSecond: elapsedMs > 0 ? (batches.count * 1000) / elapsedMs : null,
        meanRows: mean(batches),
        limitRows: now.highest('sluice_batch_limit_rows'),
      },
      lag: this.partitions.state(now, wallMs),
      caches: cacheStates(now, before),
      deadLetters: { byReason: told('sluice_dead_letters_total'), recent: newest(this.letters) },
      degraded: told('sluice_degraded_records_total'),
      overload: now
        .series('sluice_overload_step')
        .filter(({ value }) => value > 0)
        .map(({ labels }) => labels.step),
      retries: told('sluice_retries_total'),
      pauses: told('sluice_pauses_total'),
      events: eventStates(now, this.growth),
      history: this.history.state(now, afterMs),
    };
  }

  /** For the process as a whole. */
  cpuRatio(): number | null {
    const now = this.readings.at(-1);
    const before = this.readings[0];
    if (now === undefined || now === before) return null;
    const name = 'process_cpu_seconds_total';
    return perSecond(now.sum(name), before.sum(name), now.atMonotonicMs - before.atMonotonicMs);
  }

  latest(): Reading | undefined {
    return this.readings.at(-1);
  }
}

function modelState(now: Reading): ModelState {
  const labelOf = (name: string, label: string): string[] => [
    ...new Set(
      now
        .series(name)
        .filter(({ value }) => value > 0)
        .map(({ labels }) => labels[label]),
    ),
  ];
  return {
    models: now
      .series('sluice_model_info')
      .map(({ labels: { model, version, digest } }) => ({ model, version, digest })),
    devices: labelOf('sluice_model_device', 'device'),
    placements: labelOf('sluice_model_placement', 'placement'),
  };
}

function recordsState(now: Reading, before: Reading): RecordsState {
  const elapsedMs = now.atMonotonicMs - before.atMonotonicMs;
  const name = 'sluice_records_total';
  const of = (fate: string) => ({
    total: now.sum(name, 'fate', fate) ?? 0,
    rate: perSecond(now.sum(name, 'fate', fate), before.sum(name, 'fate', fate), elapsedMs),
  });
  const deadLettered = of('dead-lettered');
  const dropped = of('dropped');
  return {
    settled: now.sum(name) ?? 0,
    settledPerSecond: perSecond(now.sum(name), before.sum(name), elapsedMs),
    publishedPerSecond: of('published').rate,
    deadLettered: deadLettered.total,
    deadLetteredPerSecond: deadLettered.rate,
    dropped: dropped.total,
    droppedPerSecond: dropped.rate,
  };
}

function cacheStates(now: Reading, before: Reading): CacheState[] {
  const name = 'sluice_cache_requests_total';
  const elapsedMs = now.atMonotonicMs - before.atMonotonicMs;
  const views = [...new Set(now.series(name).map(({ labels }) => labels.view))].sort();
  const asked = (reading: Reading, view: string) => {
    let all = 0;
    let misses = 0;
    for (const { labels, value } of reading.series(name)) {
      if (labels.view !== view) continue;
      all += value;
      if (labels.result === 'miss') misses += value;
    }
    return { all, misses };
  };
  return views.flatMap((view) => {
    const total = asked(now, view);
    // A view without a cache has these counters too.
    if (total.all === 0) return [];
    const earlier = asked(before, view);
    const all = total.all - earlier.all;
    const misses = total.misses - earlier.misses;
    const ratio = all > 0 ? 1 - misses / all : 1 - total.misses / total.all;
    const secondLevel = secondLevelState(now, before, view);
    const requestsPerSecond = perSecond(total.all, earlier.all, elapsedMs);
    return [{ view, requestsPerSecond, hitRatio: figure(ratio), ...(secondLevel !== undefined && { secondLevel }) }];
  });
}

/** Bypassed look-ups count as misses. */
function secondLevelState(now: Reading, before: Reading, view: string): CacheState['secondLevel'] {
  const ups = now.series('sluice_second_level_up');
  const asked = (reading: Reading) => {
    let all = 0;
    let hits = 0;
    for (const name of ['sluice_second_level_requests_total', 'sluice_second_level_bypasses_total']) {
      for (const { labels, value } of reading.series(name)) {
        if (labels.view !== view) continue;
        all += value;
        if (labels.result === 'hit' || labels.result === 'negative-hit') hits += value;
      }
    }
    return { all, hits };
  };
  const total = asked(now);
  if (ups.length === 0 || total.all === 0) return undefined;
  const earlier = asked(before);
  const all = total.all - earlier.all;
  const ratio = all > 0 ? (total.hits - earlier.hits) / all : total.hits / total.all;
  return { hitRatio: figure(ratio), up: ups.every(({ value }) => value === 1) };
}
