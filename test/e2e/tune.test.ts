/** `sluice tune` in a fresh clone, with nothing running: the shape of what it says, not the speed of the machine. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TuneReport } from '../../src/commands/tune/judge.ts';
import { sluice } from '../fixtures/sluice.ts';

describe('tune', { concurrency: 2 }, () => {
  test('hello, as JSON: everything that it found out, one object on standard output', async () => {
    const { code, stdout, stderr } = await sluice([
      'tune',
      'topologies/hello.yaml',
      ...['--rate', '1000000', '--core-hour', '0.04', '--json'],
    ]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, 1);
    const report: TuneReport = JSON.parse(stdout);
    assert.equal(report.topology, 'hello');
    assert.match(report.model, /^hello@1#[0-9a-f]{12}$/);
    assert.equal(report.device, 'cpu');
    assert.deepEqual(report.samples, { from: 'golden', records: report.samples.records, deadLetters: 0 });
    assert.ok(report.samples.records > 10);
    assert.equal(report.runs[0].rows, 1);
    assert.ok(report.runs.every(({ ms, runs }) => ms > 0 && runs > 0));
    assert.ok(report.record.parts['Kafka client'] >= 0);
    assert.deepEqual(report.record.assumed, []);
    for (const stage of ['decode', 'preprocess', 'postprocess', 'encode']) assert.ok(report.record.parts[stage] > 0);
    const { perSecond, p50Ms = 0, p99Ms = 0, missed = 1 } = report.highest;
    assert.ok(perSecond > 0 && p50Ms > 0 && p50Ms <= p99Ms && missed <= 0.001);
    const shares = Object.values(report.limits.shares).reduce((sum, share) => sum + share, 0);
    assert.ok(Math.abs(shares - 1) < 0.1, `shares add up to ${shares}`);
    assert.equal(report.cost.perCoreHour, perSecond * 3600);
    assert.ok((report.cost.perMillion ?? 0) > 0);
    const instances = report.advice.find(({ change }) => change === 'instances');
    assert.match(
      instances?.to ?? '',
      new RegExp(`^(run --instances )?${Math.ceil(1_000_000 / perSecond)}( instances)?$`),
    );
    assert.ok(report.advice.every(({ because }) => /\d/.test(because)));
  });

  test('flight-delay, for people: runs, record, rate, limit, cost, caches, advice', async () => {
    const { code, stdout, stderr } = await sluice([
      'tune',
      'topologies/flight-delay.yaml',
      ...['--zipf', '0.99', '--keys', '200000', '--client-us', '3'],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^topology +flight-delay, flight-delay@1#[0-9a-f]{12} on cpu; \d+ cores? here$/m);
    assert.match(stdout, /^run +about .* \+ .* µs a row$/m);
    assert.match(stdout, /^record .*Kafka client 3\.00 \(assumed\)/m);
    assert.match(stdout, /^record +\S+ µs of CPU beside the model: .*store client \S+ \(assumed\).*$/m);
    assert.match(stdout, /^highest +[\d,]+ records\/s keep 50 ms on one instance$/m);
    assert.match(stdout, /^limit +.+; the time goes to .+$/m);
    assert.match(stdout, /^cost +\S+ million predictions a core-hour \(a core an instance\)$/m);
    assert.match(
      stdout,
      /route: 100,000 entries \(configured\) hit \d+ % \(at best \d+ %\), [\d,]+ reads\/s of the store/,
    );
    assert.match(stdout, /^change .* → [\d,]+ records\/s/m);
    assert.match(stdout, /a cache for airport → .*: reading airport for every record takes/);
    assert.doesNotMatch(stdout, /NaN|undefined|Infinity/);
    assert.match(stderr, /through the path\nruns of 1 to/);
  });

  test('events of a file in place of the golden records; one that the model never sees is a usage error', async () => {
    const events = ['--input', 'examples/flight-delay/events-500.jsonl', '--client-us', '8', '--json'];
    const good = await sluice(['tune', 'topologies/hello.yaml', ...events]);
    assert.equal(good.code, 0, good.stderr);
    assert.equal((JSON.parse(good.stdout) as TuneReport).samples.from, 'input');
    const bad = await sluice(['tune', 'topologies/hello.yaml', '--input', 'models/hello/1/golden.jsonl']);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /none of \d+ samples came as far as the model \(\d+ dead letters\): give --input FILE/);
  });
});
