import type { MetricStore } from '../../telemetry/metrics.ts';

/** Records that have met their fate, whatever it is; of `fate` alone where one is given. */
export function settledRecords(telemetry: MetricStore, fate?: 'published' | 'dead-lettered' | 'dropped'): number {
  return telemetry
    .series('sluice_records_total')
    .filter(({ labels }) => fate === undefined || labels.fate === fate)
    .reduce((sum, one) => sum + (one.kind === 'value' ? one.value : 0), 0);
}
