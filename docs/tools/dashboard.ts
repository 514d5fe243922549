/** The dashboard for Grafana: what `deploy/grafana/sluice.json` is made of. Descriptions are the catalogue's own words. */
import { METRICS, type MetricName } from '../../src/telemetry/catalogue.ts';
import { namesIn } from './alerts.ts';

interface Line {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly type?: 'timeseries' | 'stat' | 'table';
}

const WIDTH = 8;
const HEIGHT = 8;
const OF = 'job=~"$job"';

export const ROWS: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: 'Does it keep up?',
    panels: [
      panel('Records by fate', 'reqps', rate('sluice_records_total', 'fate')),
      panel('Lag in seconds', 's', [
        { expr: `max by (topic, partition) (sluice_lag_seconds{${OF}})`, legend: '{{topic}}/{{partition}}' },
      ]),
      panel('Lag in records', 'short', [
        { expr: `max by (topic, partition) (sluice_lag_records{${OF}})`, legend: '{{topic}}/{{partition}}' },
      ]),
      panel('Time to drain, the slowest partition', 's', [
        { expr: `max by (job) (sluice_lag_drain_seconds{${OF}})`, legend: '{{job}}' },
      ]),
      panel('Standing still', 's', [
        {
          expr: `max by (topic, partition) (sluice_partition_still_seconds{${OF}})`,
          legend: '{{topic}}/{{partition}}',
        },
      ]),
      panel('Waits for', 'short', [{ expr: `sum by (what) (sluice_waiting{${OF}})`, legend: '{{what}}' }]),
    ],
  },
  {
    title: 'How fast is it, and what limits it?',
    panels: [
      panel('Stages busy: the highest is the bottleneck', 'percentunit', [
        { expr: `max by (stage) (sluice_stage_busy_ratio{${OF}})`, legend: '{{stage}}' },
      ]),
      panel('Records held, by stage', 'short', [
        { expr: `sum by (stage) (sluice_stage_held_records{${OF}})`, legend: '{{stage}}' },
      ]),
      panel('In flight, of the limit', 'percentunit', [
        {
          expr: `sum by (job) (sluice_inflight_records{${OF}}) / sum by (job) (sluice_inflight_limit_records{${OF}})`,
          legend: 'records',
        },
        {
          expr: `sum by (job) (sluice_inflight_bytes{${OF}}) / sum by (job) (sluice_inflight_limit_bytes{${OF}})`,
          legend: 'bytes',
        },
      ]),
      panel('Residence', 's', quantiles('sluice_residence_seconds')),
      panel('Age of records when settled', 's', quantiles('sluice_record_age_seconds')),
      panel('Rows in a batch', 'short', quantiles('sluice_batch_rows')),
    ],
  },
  {
    title: 'Features and model',
    panels: [
      panel('Cache hits', 'percentunit', [
        {
          expr: `sum by (view) (rate(sluice_cache_requests_total{${OF},result="hit"}[$__rate_interval])) / sum by (view) (rate(sluice_cache_requests_total{${OF}}[$__rate_interval]))`,
          legend: '{{view}}',
        },
      ]),
      panel('Age of features used, p99', 's', [
        {
          expr: `histogram_quantile(0.99, sum by (view, le) (rate(sluice_feature_age_seconds_bucket{${OF}}[$__rate_interval])))`,
          legend: '{{view}}',
        },
      ]),
      panel('Calls to the store', 'reqps', rate('sluice_store_calls_total', 'result')),
      panel('Model runs, restarts', 'reqps', [
        { expr: `sum by (job) (rate(sluice_batch_rows_count{${OF}}[$__rate_interval]))`, legend: 'runs' },
        {
          expr: `sum by (reason) (rate(sluice_model_restarts_total{${OF}}[$__rate_interval]))`,
          legend: 'restarts: {{reason}}',
        },
      ]),
      panel(
        'Models in use',
        'short',
        [
          {
            expr: `count by (model, version, digest) (sluice_model_info{${OF}} == 1)`,
            legend: '{{model}}@{{version}} {{digest}}',
          },
        ],
        'stat',
      ),
      panel(
        'Devices',
        'short',
        [{ expr: `sum by (device) (sluice_model_device{${OF}})`, legend: '{{device}}' }],
        'stat',
      ),
    ],
  },
  {
    title: 'What goes wrong',
    panels: [
      panel('Dead letters by reason', 'reqps', rate('sluice_dead_letters_total', 'reason')),
      panel('Dropped, degraded', 'reqps', [
        ...rate('sluice_dropped_records_total', 'reason'),
        ...rate('sluice_degraded_records_total', 'how'),
      ]),
      panel('Retries', 'reqps', [
        {
          expr: `sum by (what, reason) (rate(sluice_retries_total{${OF}}[$__rate_interval]))`,
          legend: '{{what}}: {{reason}}',
        },
      ]),
      panel('Warnings and errors', 'reqps', rate('sluice_events_total', 'event')),
      panel('Re-joins, drains', 'short', [
        { expr: `sum by (job) (increase(sluice_rebalances_total{${OF}}[$__rate_interval]))`, legend: 're-joins' },
        {
          expr: `sum by (result) (increase(sluice_drains_total{${OF}}[$__rate_interval]))`,
          legend: 'drains: {{result}}',
        },
      ]),
      panel('Overload: steps taken', 'short', [
        { expr: `max by (step) (sluice_overload_step{${OF}})`, legend: '{{step}}' },
      ]),
    ],
  },
  {
    title: 'The process',
    panels: [
      panel('Resident memory', 'bytes', [{ expr: `process_resident_memory_bytes{${OF}}`, legend: '{{instance}}' }]),
      panel('Heap, memory outside of it', 'bytes', [
        { expr: `nodejs_heap_size_used_bytes{${OF}}`, legend: 'heap {{instance}}' },
        { expr: `nodejs_external_memory_bytes{${OF}}`, legend: 'outside {{instance}}' },
      ]),
      panel('Processor', 'percentunit', [
        { expr: `rate(process_cpu_seconds_total{${OF}}[$__rate_interval])`, legend: '{{instance}}' },
      ]),
      panel('Event loop delay', 's', quantiles('sluice_event_loop_delay_seconds')),
    ],
  },
];

function panel(title: string, unit: string, lines: readonly Line[], type: Panel['type'] = 'timeseries'): Panel {
  return { title, unit, lines, type };
}

function rate(metric: MetricName, label: string): Line[] {
  return [{ expr: `sum by (${label}) (rate(${metric}{${OF}}[$__rate_interval]))`, legend: `{{${label}}}` }];
}

function quantiles(metric: MetricName): Line[] {
  return [0.5, 0.99].map((q) => ({
    expr: `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket{${OF}}[$__rate_interval])))`,
    legend: `p${q * 100}`,
  }));
}

/** What the catalogue says of the metrics that a panel shows. */
function description({ lines }: Panel): string {
  const names = new Set(lines.flatMap(({ expr }) => namesIn(expr).map(({ metric }) => metric as MetricName)));
  return [...names].map((name) => `${name}: ${METRICS[name].help}`).join('\n\n');
}

export function dashboardFile(): string {
  let id = 0;
  let y = 0;
  const panels: object[] = [];
  const datasource = { type: 'prometheus', uid: `\${datasource}` };
  for (const row of ROWS) {
    panels.push({
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y: y++ },
      panels: [],
    });
    for (const [n, each] of row.panels.entries()) {
      panels.push({
        ...{ id: ++id, type: each.type, title: each.title, description: description(each), datasource },
        gridPos: { h: HEIGHT, w: WIDTH, x: (n % 3) * WIDTH, y: y + Math.floor(n / 3) * HEIGHT },
        fieldConfig: { defaults: { unit: each.unit, min: 0 }, overrides: [] },
        options:
          each.type === 'timeseries'
            ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
            : {},
        targets: each.lines.map(({ expr, legend }, k) => ({
          refId: String.fromCharCode(65 + k),
          datasource,
          expr,
          legendFormat: legend,
        })),
      });
    }
    y += Math.ceil(row.panels.length / 3) * HEIGHT;
  }
  const variables = [
    { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
    {
      ...{ name: 'job', type: 'query', label: 'Pipeline', datasource, refresh: 2, includeAll: true, multi: true },
      query: { query: 'label_values(sluice_records_total, job)', refId: 'job' },
    },
  ];
  const dashboard = {
    ...{
      uid: 'sluice',
      title: 'Sluice',
      description: 'Generated by npm run docs from docs/tools/dashboard.ts.',
      tags: ['sluice'],
    },
    ...{ schemaVersion: 39, version: 1, editable: true, refresh: '10s', time: { from: 'now-1h', to: 'now' } },
    ...{ templating: { list: variables }, annotations: { list: [] }, links: [], panels },
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
