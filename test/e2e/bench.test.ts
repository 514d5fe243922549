/** `sluice bench` against the embedded services and a real `sluice run`: what it counts, not how fast this machine is. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BenchReport } from '../../src/commands/bench/text.ts';
import type { Stack } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { ROOT, Sluice, sluice } from '../fixtures/sluice.ts';

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const file = join(folder, 'hello.yaml');
// A budget that a busy machine keeps too.
writeFileSync(
  file,
  readFileSync(join(ROOT, 'topologies/hello.yaml'), 'utf8').replace('latencyBudget: 50ms', 'latencyBudget: 5s'),
);

let stack: Stack;
before(async () => {
  stack = await startEmbeddedStack();
  for (const [topic, partitions] of [
    ['hello.flights', 3],
    ['hello.late', 2],
    ['hello.dead-letter', 1],
  ] as const)
    await stack.createTopic(topic, partitions);
});
after(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

const bench = (...args: string[]) => sluice(['bench', file, '--warm-up', '500ms', ...args], stack.env);

describe('bench', () => {
  test('without --write it writes nothing, and says what it would do', async () => {
    const { code, stdout, stderr } = await bench('--rate', '100', '--duration', '2s');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /bench writes 200 records into hello\.flights, .* give --write where that may be/);
  });

  test('nothing runs: it says so, having written a record a partition', async () => {
    const { code, stdout, stderr } = await bench('--write', '--rate', '100', '--wait', '500ms');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /nothing came out of hello\.late or hello\.dead-letter within 0\.5 s .*: is `sluice run .*` running/,
    );
  });

  test('with a pipeline: all are answered, matched by their source; dead letters by reason; Ctrl-C ends well', async () => {
    const run = new Sluice(['run', file, '--listen', '127.0.0.1:0'], stack.env);
    try {
      await run.ready();

      const { code, stdout, stderr } = await bench(
        ...['--write', '--rate', '200', '--duration', '2s', '--input', EVENTS, '--json'],
      );
      assert.equal(code, 0, stderr + stdout);
      const report: BenchReport = JSON.parse(stdout);
      assert.equal(report.topology, 'hello');
      const [step] = report.steps;
      assert.equal(step.sent, 400);
      assert.deepEqual(
        [step.predictions, step.deadLetters, step.unanswered, step.duplicates, step.misses],
        [400, 0, 0, 0, 0],
        'the records that the test before left behind are not among them',
      );
      const { p50, p99, p999, max } = step.latencyMs ?? { p50: 0, p99: 0, p999: 0, max: 0 };
      assert.ok(0 < p50 && p50 <= p99 && p99 <= p999 && p999 <= max);
      assert.ok(step.lateness.max >= step.lateness.p50 && step.readerMs > 0);
      assert.ok(step.keeps && step.invalid === '');

      const good = readFileSync(join(ROOT, EVENTS), 'utf8').split('\n').slice(0, 3);
      const mixed = join(folder, 'mixed.jsonl');
      writeFileSync(mixed, [...good, '{"id":"none"}'].join('\n'));
      const mixedRun = await bench('--write', '--rate', '200', '--duration', '1s', '--input', mixed);
      assert.equal(mixedRun.code, 0, mixedRun.stderr);
      assert.match(
        mixedRun.stdout,
        /^records +200 sent, 150 predictions, 50 dead letters \(decode-failed 50\), 0 unanswered$/m,
      );
      assert.match(mixedRun.stdout, /^misses +0, 0\.000 %, of 5000 ms: the budget is kept$/m);

      const child = new Sluice(
        ['bench', file, '--write', '--json', '--from', '50', '--duration', '1s', '--warm-up', '0'],
        stack.env,
      );
      await child.until('a first step is told', () => / {2}keeps/.test(child.stderr));
      child.signal('SIGINT');
      assert.equal(await child.ended, 0, child.stderr);
      const ended: BenchReport = JSON.parse(child.stdout);
      assert.equal(ended.ended, 'SIGINT');
      assert.equal(ended.knee?.bound, 'signal');
      assert.ok((ended.knee?.perSecond ?? 0) >= 50);
    } finally {
      assert.equal(await run.stop(), 0);
    }
  });
});
