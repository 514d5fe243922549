import type { MetricStore } from '../../telemetry/metrics.ts';

/** Number of settled records, of all fates or of `fate`. */
export function settledRecords(telemetry: MetricStore, fate?: 'published' | 'dead-lettered' | 'dropped'): number {
  return telemetry
    .series('sluice_records_total')
    .filter(({ labels }) => fate === undefined || labels.fate === fate)
    .reduce((sum, one) => sum + (one.kind === 'value' ? one.value : 0), 0);
}
