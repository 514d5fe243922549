/**
 * The rules for Prometheus: what `deploy/prometheus/rules.yaml` is made of. Every alert has a chapter in the runbook, which says what to do.
 * Thresholds are those of a pipeline that is to keep up within a minute; whoever promises less or more edits them here.
 */
import { stringify } from 'yaml';
import { anchorOf } from './anchor.ts';

/** Where the runbook lies, as long as nobody says where their copy does: in this repository. */
const RUNBOOK = 'docs/runbook.md';

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
  /** A chapter of docs/runbook.md. */
  readonly chapter: string;
}

/** A partition has one owner, but for a moment of a re-join: its figures go by topic and partition, whoever tells them. */
export const RECORDINGS: readonly Recording[] = [
  { record: 'sluice:lag_seconds', expr: 'max by (job, topic, partition) (sluice_lag_seconds)' },
  { record: 'sluice:lag_records', expr: 'max by (job, topic, partition) (sluice_lag_records)' },
  { record: 'sluice:lag_drain_seconds', expr: 'max by (job, topic, partition) (sluice_lag_drain_seconds)' },
  { record: 'sluice:records:rate5m', expr: 'sum by (job, fate) (rate(sluice_records_total[5m]))' },
  { record: 'sluice:dead_letters:rate5m', expr: 'sum by (job, reason) (rate(sluice_dead_letters_total[5m]))' },
  {
    record: 'sluice:dead_letters:ratio5m',
    expr: 'sum by (job) (rate(sluice_dead_letters_total[5m])) / sum by (job) (rate(sluice_records_total[5m]))',
  },
  {
    record: 'sluice:residence_seconds:p99_5m',
    expr: 'histogram_quantile(0.99, sum by (job, le) (rate(sluice_residence_seconds_bucket[5m])))',
  },
  {
    record: 'sluice:event_loop_delay_seconds:p99_5m',
    expr: 'histogram_quantile(0.99, sum by (job, instance, le) (rate(sluice_event_loop_delay_seconds_bucket[5m])))',
  },
];

const OF_PARTITION = '{{ $labels.topic }}/{{ $labels.partition }}';

export const ALERTS: readonly Alert[] = [
  {
    alert: 'SluiceLagGrows',
    expr: 'sluice:lag_seconds > 60 and deriv(sluice:lag_seconds[10m]) > 0',
    for: '5m',
    severity: 'warning',
    summary: `${OF_PARTITION} falls behind`,
    description: `${OF_PARTITION} is {{ $value | humanizeDuration }} behind, and further behind than ten minutes ago.`,
    chapter: 'Lag grows',
  },
  {
    alert: 'SluiceNeverCatchesUp',
    expr: '(sluice:lag_seconds > 300 and sluice:lag_records > 0) unless sluice:lag_drain_seconds < 3600',
    for: '15m',
    severity: 'warning',
    summary: `${OF_PARTITION} will not have caught up within the hour`,
    description: `${OF_PARTITION} is {{ $value | humanizeDuration }} behind; at its present rate it needs more than an hour, or never catches up.`,
    chapter: 'Lag grows',
  },
  {
    alert: 'SluiceHotPartition',
    expr: 'sluice:lag_seconds > 60 and sluice:lag_seconds > on (job) group_left () 10 * quantile by (job) (0.5, sluice:lag_seconds)',
    for: '10m',
    severity: 'warning',
    summary: `${OF_PARTITION} is far further behind than the others`,
    description: `${OF_PARTITION} is {{ $value | humanizeDuration }} behind, over ten times the median of the group.`,
    chapter: 'Hot partition',
  },
  {
    alert: 'SluicePartitionStuck',
    expr: 'sluice_partition_still_seconds > 60 unless on (job, instance) sluice_waiting{what!="unknown"} == 1',
    for: '1m',
    severity: 'critical',
    summary: `${OF_PARTITION} stands still, and nothing says why`,
    description: `Records of ${OF_PARTITION} wait, none has settled for {{ $value | humanizeDuration }}, and {{ $labels.instance }} waits for no dependency.`,
    chapter: 'Nothing settles',
  },
  {
    alert: 'SluiceDeadLetters',
    expr: 'sluice:dead_letters:ratio5m > 0.01',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of all records are dead letters',
    description:
      'More than one record in a hundred of {{ $labels.job }} could not be scored. sluice_dead_letters_total tells the reasons.',
    chapter: 'Poison record',
  },
  {
    alert: 'SluiceQuarantined',
    expr: 'sum by (job) (increase(sluice_dead_letters_total{reason="quarantined"}[1h])) > 0',
    severity: 'warning',
    summary: 'a record that ended the process again and again was put aside',
    description: '{{ $labels.job }} dead-lettered a record unprocessed, because the process died with it under way.',
    chapter: 'Poison record',
  },
  {
    alert: 'SluiceHeldByDeadLetterLimit',
    expr: 'sluice_waiting{what="dead-letters"} == 1',
    severity: 'critical',
    summary: 'too many dead letters: {{ $labels.instance }} processes nothing more',
    description:
      'The share of dead letters is above deadLetter.limit. Records are held until somebody has looked and restarted it.',
    chapter: 'The dead-letter limit holds',
  },
  {
    alert: 'SluiceStoreOut',
    expr: 'sluice_waiting{what="store"} == 1',
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} waits for the feature store',
    description: 'Records are held, none is dead-lettered; /ready tells the table and the error.',
    chapter: 'Outage of the store',
  },
  {
    alert: 'SluiceSecondLevelOut',
    expr: 'sluice_second_level_up == 0',
    for: '5m',
    severity: 'warning',
    summary: '{{ $labels.instance }} reads features without the second level of its cache',
    description:
      'Redis before the feature store does not answer; the store is asked in its place. The event second-level-out tells why.',
    chapter: 'Outage of the second level',
  },
  {
    alert: 'SluiceRegistryOut',
    expr: 'sluice_waiting{what="registry"} == 1',
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} waits for the schema registry',
    description: 'Records with a schema id that was not seen before are held; /ready tells the error.',
    chapter: 'Outage of the registry',
  },
  {
    alert: 'SluiceBrokerOut',
    expr: 'max by (job, instance) (sluice_waiting{what=~"sink|source"}) == 1',
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} waits for Kafka',
    description:
      'Outputs are not acknowledged, or inputs not fetched; /ready tells the partition or the group, and the error.',
    chapter: 'Outage of the broker',
  },
  {
    alert: 'SluiceCommitsFail',
    expr: 'sum by (job, instance) (rate(sluice_commits_total{result="failed"}[5m])) > 0',
    for: '5m',
    severity: 'warning',
    summary: '{{ $labels.instance }} cannot store its positions',
    description: 'Records go on; after a crash all since the last position that was stored come twice.',
    chapter: 'Outage of the broker',
  },
  {
    alert: 'SluiceModelFails',
    expr: 'sum by (job) (increase(sluice_model_restarts_total[15m])) > 2 or sluice_waiting{what="model"} == 1',
    for: '1m',
    severity: 'critical',
    summary: 'the model of {{ $labels.job }} fails',
    description:
      'Its process is replaced again and again, or runs are searched for a row at fault for longer than a minute.',
    chapter: 'Outage of the model',
  },
  {
    alert: 'SluiceRebalanceStorm',
    expr: 'sum by (job, instance) (increase(sluice_rebalances_total[15m])) > 5',
    severity: 'warning',
    summary: '{{ $labels.instance }} re-joined its group more than five times in a quarter of an hour',
    description: 'Each re-join drains and stands still for a moment; the group does not come to rest.',
    chapter: 'The group re-forms again and again',
  },
  {
    alert: 'SluiceDrainMissed',
    expr: 'sum by (job, instance) (increase(sluice_drains_total{result="deadline"}[1h])) > 0',
    severity: 'warning',
    summary: '{{ $labels.instance }} did not drain in time',
    description:
      'Records under way before a re-join were not settled within the budget: the next owner publishes them again.',
    chapter: 'It does not end',
  },
  {
    alert: 'SluiceEventLoopLate',
    expr: 'sluice:event_loop_delay_seconds:p99_5m > 0.25',
    for: '10m',
    severity: 'warning',
    summary: 'the event loop of {{ $labels.instance }} is late',
    description: 'One turn in a hundred comes {{ $value | humanizeDuration }} late: heartbeats and latency suffer.',
    chapter: 'The event loop is late',
  },
  {
    alert: 'SluiceModelsMixed',
    expr: 'count by (job, model) (count by (job, model, digest) (sluice_model_info == 1)) > 1',
    for: '30m',
    severity: 'warning',
    summary: 'instances of {{ $labels.job }} score with different files of {{ $labels.model }}',
    description: 'An upgrade was begun and not finished, or instances were given different images.',
    chapter: 'Upgrade of a model',
  },
];

/** The base that rules were written with: they remember it, so that writing them anew does not forget it. */
export function runbookOf(rules: string): string {
  return /^# Runbook: (\S+)$/m.exec(rules)?.[1] ?? RUNBOOK;
}

/** `text` as a base: an address or a path, which the chapter is put behind. */
export function runbookBase(text: string): string {
  if (/^(https?:\/\/[^\s#?]+|[\w./-]+)$/.test(text)) return text;
  throw new Error(`--runbook-base ${text}: give the address of your copy of docs/runbook.md, without # and ?`);
}

/** The tests of the rules, which expect whole annotations, with that base. */
export function rulesTestFile(tests: string, runbook: string): string {
  return tests.replaceAll(/(runbook_url: '?)[^#\s']+#/g, (_, before: string) => `${before}${runbook}#`);
}

export function rulesFile(runbook: string): string {
  const alerts = ALERTS.map(({ alert, expr, for: lasting, severity, summary, description, chapter }) => ({
    alert,
    expr,
    ...(lasting !== undefined && { for: lasting }),
    labels: { severity },
    annotations: { summary, description, runbook_url: `${runbook}#${anchorOf(chapter)}` },
  }));
  const groups = [
    { name: 'sluice.recording', interval: '15s', rules: RECORDINGS },
    { name: 'sluice.alerts', rules: alerts },
  ];
  const notice = [
    '# Generated from docs/tools/alerts.ts by npm run docs.',
    `# Runbook: ${runbook}`,
    '# Where your people open it, say so once: npm run -s docs -- --runbook-base URL',
  ].join('\n');
  return `${notice}\n${stringify({ groups }, { lineWidth: 0 })}`;
}

/** Every metric that an expression names, with the label values that it compares, to hold them against the catalogue. */
export function namesIn(
  expr: string,
): { readonly metric: string; readonly labels: Readonly<Record<string, string[]>> }[] {
  return [...expr.matchAll(/(?<![\w:])((?:sluice|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, metric, matchers]) => ({
      metric: metric.replace(/_(bucket|sum|count)$/, ''),
      labels: Object.fromEntries(
        [...(matchers ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label, value]) => [
          label,
          value.split('|'),
        ]),
      ),
    }),
  );
}
