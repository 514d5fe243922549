import type { MetricStore } from '../../telemetry/metrics.ts';
import type { Counts } from './bookmark.ts';

export const NO_COUNTS: Counts = { published: 0, 'dead-lettered': 0, dropped: 0, reasons: {} };

/** Fates of the records of this run and of the runs that it resumes. */
export function countsOf(telemetry: Pick<MetricStore, 'series'>, before: Counts): Counts {
  const fates: Record<string, number> = {};
  for (const one of telemetry.series('sluice_records_total')) {
    if (one.kind === 'value') fates[one.labels.fate] = one.value;
  }
  const reasons: Record<string, number> = { ...before.reasons };
  for (const one of telemetry.series('sluice_dead_letters_total')) {
    if (one.kind !== 'value' || one.value === 0) continue;
    reasons[one.labels.reason] = (reasons[one.labels.reason] ?? 0) + one.value;
  }
  return {
    published: before.published + (fates.published ?? 0),
    'dead-lettered': before['dead-lettered'] + (fates['dead-lettered'] ?? 0),
    dropped: before.dropped + (fates.dropped ?? 0),
    reasons,
  };
}

export function settledOf(counts: Counts): number {
  return counts.published + counts['dead-lettered'] + counts.dropped;
}
