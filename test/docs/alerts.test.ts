import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALERTS, namesIn, RECORDINGS, runbookBase, runbookOf } from '../../docs/tools/alerts.ts';
import { ROWS } from '../../docs/tools/dashboard.ts';
import { generated } from '../../docs/tools/reference.ts';
import { METRICS, type MetricSpec } from '../../src/telemetry/catalogue.ts';
import { ROOT, read } from './pages.ts';

const RULES = 'deploy/prometheus/rules.yaml';
const RULE_TESTS = 'deploy/prometheus/rules.test.yaml';
const TABLE: Readonly<Record<string, MetricSpec>> = METRICS;
const EXPRESSIONS = [
  ...ALERTS.map(({ expr }) => expr),
  ...RECORDINGS.map(({ expr }) => expr),
  ...ROWS.flatMap(({ panels }) => panels.flatMap(({ lines }) => lines.map(({ expr }) => expr))),
];
/** What Prometheus adds to each series. */
const OF_PROMETHEUS = ['job', 'instance', 'le'];

test('metrics, labels and values in alerts and panels are those of the catalogue', () => {
  for (const expr of EXPRESSIONS) {
    for (const { metric, labels } of namesIn(expr)) {
      const spec = TABLE[metric];
      assert.ok(spec, `${metric} in ${expr}`);
      for (const [label, values] of Object.entries(labels)) {
        if (OF_PROMETHEUS.includes(label)) continue;
        const allowed = spec.labels[label];
        assert.ok(allowed, `${metric} has no label ${label}`);
        if (allowed !== 'any')
          assert.ok(
            values.every((value) => allowed.includes(value)),
            `${label} of ${metric}: ${values}`,
          );
      }
    }
  }
});

test('labels that alerts and panels group by are of the metrics that they group', () => {
  for (const expr of EXPRESSIONS) {
    const named = namesIn(expr).flatMap(({ metric }) => Object.keys(TABLE[metric].labels));
    const recorded = /sluice:lag/.test(expr) ? ['topic', 'partition'] : [];
    for (const [, list] of expr.matchAll(/\bby \(([^)]*)\)/g))
      for (const label of list.split(', '))
        assert.ok([...OF_PROMETHEUS, ...named, ...recorded].includes(label), `${label} in ${expr}`);
  }
});

test('recordings that alerts use are recorded', () => {
  const records = RECORDINGS.map(({ record }) => record);
  for (const { alert, expr } of ALERTS)
    for (const [name] of expr.matchAll(/sluice:[\w:]+/g)) assert.ok(records.includes(name), `${alert}: ${name}`);
});

test('each alert says in short and at length what is the matter; each is played in the tests of the rules', () => {
  const tests = read(RULE_TESTS);
  for (const { alert, summary, description } of ALERTS) {
    assert.ok(summary.length > 15 && description.length > 15, alert);
    assert.ok(tests.includes(alert), `${alert} is in no test of ${RULE_TESTS}`);
  }
  assert.equal(new Set(ALERTS.map(({ alert }) => alert)).size, ALERTS.length);
});

test('where the runbook lies is said once, for rules and their tests, and remembered', () => {
  const base = 'https://docs.example.org/sluice/docs/runbook.html';
  const written = generated(read, runbookBase(base));
  const [rules, tests] = [RULES, RULE_TESTS].map((path) => written.get(path) ?? '');
  for (const text of [rules, tests]) {
    const urls = [...text.matchAll(/runbook_url: '?([^#\s']+)#[a-z-]+/g)].map(([, url]) => url);
    assert.ok(urls.length >= 10);
    assert.deepEqual(new Set(urls), new Set([base]));
  }
  assert.equal(runbookOf(rules), base);
  const again = generated((path) => written.get(path) ?? read(path));
  assert.deepEqual([again.get(RULES), again.get(RULE_TESTS)], [rules, tests]);
  assert.throws(() => runbookBase('https://docs.example.org/#runbook'), /--runbook-base .*without #/);
});

test('the dashboard is one that Grafana can place: panels do not overlap, each has an id of its own', () => {
  const { panels } = JSON.parse(read('deploy/grafana/sluice.json')) as {
    panels: {
      id: number;
      gridPos: { x: number; y: number; w: number; h: number };
      description?: string;
      type: string;
    }[];
  };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { gridPos, type, description } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24);
    assert.ok(type === 'row' || /(sluice|process|nodejs)_/.test(description ?? ''));
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x}/${y}`), 'two panels in one place');
        taken.add(`${x}/${y}`);
      }
    }
  }
});

const missing = spawnSync('promtool', ['--version']).error !== undefined;
const skip = missing && 'promtool is not installed (Debian: prometheus)';

for (const args of [
  ['check', 'rules', RULES],
  ['test', 'rules', RULE_TESTS],
]) {
  test(`promtool ${args.join(' ')}`, { skip }, () => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
    assert.equal(status, 0, `${join(ROOT, RULES)}\n${stdout}${stderr}`);
  });
}
