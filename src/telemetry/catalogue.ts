import { DEGRADED } from '../kernel/degraded.ts';
import { FATES, REASONS } from '../kernel/fate.ts';
import { WAITS } from '../kernel/waits.ts';

/**
 * Every metric that Sluice has, in one table: a name, label or label value that is not here does not exist.
 * The names are a contract with dashboards and alerts (deploy/): append, never rename.
 *
 * Labels hold what an operator chooses or the program enumerates, never a key, an offset or the text of an error:
 * those would create series without end, and every series costs memory here and time in every scrape.
 */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelSpec>>;
  /** Histograms: upper bounds of the buckets, ascending; the last, infinite one is implied. */
  readonly buckets?: readonly number[];
  /** Maximum number of series; further ones are counted together in one labelled `overflow`. */
  readonly maxSeries: number;
}

/** Allowed values of a label, or `any` if they come from a topology, a broker or another table. */
export type LabelSpec = 'any' | readonly string[];

export type MetricTable = Readonly<Record<string, MetricSpec>>;

/** 10 µs to 10 s: work of one stage on one frame or batch. */
const WORK_SECONDS = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;
/** 1 ms to a minute, dense where latency budgets lie. */
const RESIDENCE_SECONDS = [
  1e-3, 2e-3, 5e-3, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;
/** The same, extended to a day, because a backlog is old. */
const AGE_SECONDS = [...RESIDENCE_SECONDS, 300, 3600, 86_400] as const;
const FEATURE_AGE_SECONDS = [
  1, 10, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000,
] as const;
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096] as const;
const LOOP_SECONDS = [1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

const FINAL_FATES = FATES.filter((fate) => fate !== 'open');
const STEPS_OF_OVERLOAD = [
  'larger-batches',
  'stale-cache',
  'default-features',
  'smaller-model',
  'skip-to-latest',
] as const;
const GIVEN_REASONS = REASONS.filter((reason) => reason !== 'none');
const PARTITION = { topic: 'any', partition: 'any' } as const;

export const METRICS = {
  sluice_records_total: counter('Records that settled, by fate.', { fate: FINAL_FATES }),
  sluice_dead_letters_total: counter('Records that settled as dead letters, by reason.', { reason: GIVEN_REASONS }),
  sluice_dropped_records_total: counter('Records that settled as drops, by reason.', { reason: GIVEN_REASONS }),
  sluice_degraded_records_total: counter('Records published with less than the topology asks for, by how.', {
    how: DEGRADED,
  }),
  sluice_overload_step: gauge('1 while a declared step of onOverload is in force, 0 otherwise.', {
    step: STEPS_OF_OVERLOAD,
  }),
  sluice_lag_records: gauge('Records between our position and the end of the partition.', PARTITION, 128),
  sluice_lag_seconds: gauge(
    'Seconds since the timestamp of the last record handed over, or since it was last caught up, if that is less; 0 when caught up, NaN before the first record.',
    PARTITION,
    128,
  ),
  sluice_lag_drain_seconds: gauge(
    'Seconds until the partition is caught up, if it goes on as in the last minute; 0 when it is, absent when it never would be.',
    PARTITION,
    128,
  ),
  sluice_partition_still_seconds: gauge(
    'For how long records of the partition have been waiting without any of them settling; 0 when none waits. A high value means stuck, not slow.',
    PARTITION,
    128,
  ),
  sluice_waiting: gauge('1 while records wait for this, and /ready says why; 0 otherwise.', { what: WAITS }),
  sluice_inflight_records: gauge('Records taken in and not settled.'),
  sluice_inflight_bytes: gauge('Bytes of records taken in and not settled.'),
  sluice_inflight_limit_records: gauge('Records that may be taken in and not settled: flow.maxInFlight.'),
  sluice_inflight_limit_bytes: gauge('Bytes of records that may be taken in and not settled: flow.maxInFlight.'),
  sluice_batch_rows: histogram('Rows in a batch given to the model.', ROWS),
  sluice_batch_limit_rows: gauge(
    'The most rows of a batch: fewer than configured while memory is short, or to keep runs short on the thread of the pipeline.',
    { model: 'any' },
    8,
  ),
  sluice_stage_seconds: histogram('Work of a stage on one frame or batch.', WORK_SECONDS, { stage: 'any' }, 16),
  sluice_fetch_hold_seconds: gauge(
    'For how long a broker may hold a fetch so that more records come with it: longer when processor time is short.',
  ),
  sluice_stage_busy_ratio: gauge('Share of the last seconds in which a stage worked; the highest is the bottleneck.', {
    stage: 'any',
  }),
  sluice_stage_records_total: counter('Records that have passed a stage, whatever their fate.', { stage: 'any' }),
  sluice_stage_held_records: gauge('Records in a stage, waiting or being processed.', { stage: 'any' }),
  sluice_record_age_seconds: histogram(
    "From a record's timestamp until it is settled: its output or dead letter acknowledged, or its drop counted.",
    AGE_SECONDS,
  ),
  sluice_residence_seconds: histogram('From the arrival of a record until it is settled.', RESIDENCE_SECONDS),
  sluice_cache_requests_total: counter('Look-ups in the feature cache.', { view: 'any', result: 'any' }, 96),
  sluice_cache_refreshes_total: counter(
    'Rows of the feature cache that were refreshed in the background, before their ttl.',
    { view: 'any', result: ['ok', 'failed'] },
    32,
  ),
  sluice_cache_invalidations_total: counter(
    'Keys that a changelog topic named: dropped from the feature cache, or unknown there.',
    { view: 'any', result: ['dropped', 'unknown'] },
    32,
  ),
  sluice_second_level_requests_total: counter(
    'Rows that were looked for in the second level of the feature cache, by what was found; outdated: too old, or said to have changed.',
    { view: 'any', result: ['hit', 'negative-hit', 'miss', 'outdated', 'unreadable'] },
    96,
  ),
  sluice_second_level_bypasses_total: counter(
    'Rows that the store was asked for without an answer of the second level, by reason; out: it failed before and is left alone.',
    { view: 'any', reason: ['out', 'busy', 'timed-out', 'unavailable', 'refused'] },
    96,
  ),
  sluice_second_level_writes_total: counter(
    'Rows on their way to the second level; superseded: what is there was asked for later, or is said to have changed; dropped: too many wait, or it is out.',
    { result: ['kept', 'superseded', 'dropped', 'failed'] },
  ),
  sluice_second_level_invalidations_total: counter(
    'Keys that a changelog topic named: marked in the second level, or not (then nothing older is used).',
    { view: 'any', result: ['marked', 'unmarked'] },
    32,
  ),
  sluice_second_level_up: gauge('1 while the second level of the feature cache is in use, 0 while it is bypassed.'),
  sluice_second_level_queued_bytes: gauge('Bytes that wait to be written to the second level of the feature cache.'),
  sluice_changelog_nameless_total: counter(
    'Records of a changelog topic that name no row: without a key, or unreadable.',
    { topic: 'any', reason: ['no-key', 'batch-unreadable', 'too-large'] },
    32,
  ),
  sluice_changelog_up: gauge('1 while a changelog topic is being read to its end, 0 otherwise.', {
    topic: 'any',
  }),
  sluice_feature_age_seconds: histogram('Age of a feature when it was used.', FEATURE_AGE_SECONDS, { view: 'any' }, 32),
  sluice_retries_total: counter('Failed attempts that were retried.', { what: 'any', reason: 'any' }, 48),
  sluice_token_fetches_total: counter(
    'Token requests for a login, by outcome: fetched, failed.',
    { outcome: 'any' },
    4,
  ),
  sluice_store_calls_total: counter('Calls to the feature store, by result.', { result: 'any' }, 20),
  sluice_store_calls_allowed: gauge(
    'Calls to the feature store that may be in flight: fewer while it is slow or reports overload.',
    { store: ['bigtable', 'redis'] },
  ),
  sluice_feature_cells_unreadable_total: counter(
    'Feature cells whose content does not match the topology or their qualifier: their columns count as missing.',
    { table: 'any' },
    32,
  ),
  sluice_feature_file_reloads_total: counter(
    'Changed feature files, by outcome; refused: the previous rows stay in use.',
    { table: 'any', result: ['ok', 'refused'] },
    32,
  ),
  sluice_store_reconnects_total: counter(
    'Connections to the feature store that were replaced because nothing came over them.',
  ),
  sluice_pauses_total: counter('Pauses of the intake, by reason.', { reason: 'any' }, 16),
  sluice_commits_total: counter('Commits of positions, by result.', { result: 'any' }, 8),
  sluice_commits_fenced_total: counter('Positions that the group coordinator refused to commit.'),
  sluice_commits_left_out_total: counter('Positions of ended epochs, not committed.'),
  sluice_offset_resets_total: counter(
    'Committed offsets that were out of range, by the policy applied.',
    { policy: 'any' },
    4,
  ),
  sluice_deaths_found_total: counter(
    'Partitions taken over from a process that had died, by the step in which they go on.',
    { step: ['frame', 'record', 'condemned'] },
    4,
  ),
  sluice_quarantine_steps_total: counter(
    'Frames and records handed over one at a time after a death.',
    { step: ['frame', 'record', 'condemned'] },
    4,
  ),
  sluice_fetches_discarded_total: counter('Fetches from another offset than expected.'),
  sluice_drains_total: counter('Drains at shutdown or before a re-join, by result.', { result: 'any' }, 8),
  sluice_rebalances_total: counter('Re-joins of the consumer group.'),
  sluice_late_completions_total: counter('Records that settled after their epoch had ended; not committed.'),
  sluice_duplicates_possible_total: counter(
    'Records that may come twice: handed over but not committed when their partition was given up, or sent in a call with an unknown outcome.',
  ),
  sluice_transactions_total: counter(
    'Transactions of exactly-once delivery: committed, failed (and repeated, unless found committed), lost to another owner.',
    { result: ['committed', 'failed', 'lost'] },
  ),
  sluice_model_device: gauge('1 for the device that the model runs on.', { device: 'any' }, 8),
  sluice_model_placement: gauge(
    '1 for where the model runs: on the thread of the pipeline, in threads, in a process.',
    {
      placement: ['inline', 'thread', 'process'],
    },
  ),
  sluice_model_restarts_total: counter('Times the process of an isolated model was replaced, by reason.', {
    reason: ['hung', 'crashed', 'memory', 'start-failed'],
  }),
  sluice_model_info: gauge('1 for the model in use.', { model: 'any', version: 'any', digest: 'any' }, 16),
  sluice_instance_ready: gauge(
    'With --instances: 1 for an instance that is ready, 0 for one that is not.',
    { instance: 'any' },
    64,
  ),
  sluice_event_loop_delay_seconds: histogram('How late the event loop was, sampled every 20 ms.', LOOP_SECONDS),
  sluice_events_total: counter(
    'Events of level warn and error, by name: also those whose lines are held back.',
    { event: 'any' },
    96,
  ),
  sluice_series_overflow_total: counter('Series beyond the limit, which are counted together as `overflow`.'),
  process_cpu_seconds_total: counter('Processor time of this process, user and system.'),
  process_resident_memory_bytes: gauge('Resident memory of this process.'),
  process_start_time_seconds: gauge('When this process started, in seconds since 1970.'),
  nodejs_heap_size_used_bytes: gauge('JavaScript heap in use.'),
  nodejs_external_memory_bytes: gauge('Memory outside the JavaScript heap that JavaScript objects hold.'),
} as const satisfies MetricTable;

export type MetricName = keyof typeof METRICS;

function counter(help: string, labels: MetricSpec['labels'] = {}, maxSeries = 32): MetricSpec {
  return { type: 'counter', help, labels, maxSeries };
}

function gauge(help: string, labels: MetricSpec['labels'] = {}, maxSeries = 32): MetricSpec {
  return { type: 'gauge', help, labels, maxSeries };
}

function histogram(
  help: string,
  buckets: readonly number[],
  labels: MetricSpec['labels'] = {},
  maxSeries = 32,
): MetricSpec {
  return { type: 'histogram', help, labels, buckets, maxSeries };
}
