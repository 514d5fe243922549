import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_COUNTS } from '../../../../src/commands/batch/counts.ts';
import { type BatchProgress, createBatchProgress } from '../../../../src/commands/batch/progress.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { RunOutcome } from '../../../../src/runner.ts';
import { createTelemetry, type MetricStore } from '../../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { Text } from '../../../fixtures/io.ts';

const DONE: RunOutcome = { result: 'done', error: undefined, unsettledRecords: 0 };

interface Setup {
  readonly clock: FakeClock;
  readonly stderr: Text;
  readonly report: Text;
  readonly telemetry: MetricStore;
  readonly progress: BatchProgress;
}

function setUp({
  tty = false,
  json = false,
  total = 1_000,
  limit = Number.POSITIVE_INFINITY,
  unit = 'bytes' as 'bytes' | 'offsets',
} = {}): Setup {
  const clock = new FakeClock();
  const [stderr, report] = [new Text(), new Text()];
  stderr.isTTY = tty;
  const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
  const progress = createBatchProgress({ clock, stderr, report }, telemetry, { limit, json });
  progress.start({ total, unit, read: 0, before: NO_COUNTS });
  return { clock, stderr, report, telemetry, progress };
}

const settle = (telemetry: MetricStore, fate: string, n: number): void =>
  telemetry.counter('sluice_records_total', { fate }).add(n);

test('a log gets a line every ten seconds', async () => {
  const { clock, stderr, telemetry, progress } = setUp();
  progress.read(250);
  settle(telemetry, 'published', 40_000);
  settle(telemetry, 'dropped', 10_000);
  await clock.advance(9_999);
  assert.equal(stderr.text, '');
  await clock.advance(1);
  assert.equal(stderr.text, '25 % read, 50,000 records, 5,000 a second, 30 s left\n');
});

test('a terminal gets the line in place, every second, and it is gone at the end', async () => {
  const { clock, stderr, progress } = setUp({ tty: true });
  await clock.advance(2_000);
  const line = '\r\u001b[K0 % read, 0 records, 0 a second';
  assert.equal(stderr.text, line.repeat(2));
  progress.stop(DONE, {});
  assert.equal(stderr.text, `${line.repeat(2)}\r\u001b[K0 predictions in 2.0 s\n`);
  assert.equal(clock.timers, 0);
});

test('the length of a pipe is unknown', async () => {
  const { clock, stderr, progress } = setUp({ total: 0 });
  progress.read(2_000_000);
  await clock.advance(10_000);
  assert.equal(stderr.text, '2.0 MB read, 0 records, 0 a second\n');
});

test('the end that comes first counts: that of the input, or the limit', async () => {
  const { clock, stderr, telemetry, progress } = setUp({ limit: 2_000, unit: 'offsets' });
  progress.read(100);
  settle(telemetry, 'published', 500);
  await clock.advance(10_000);
  assert.equal(stderr.text, '25 % read, 500 records, 50 a second, 30 s left\n');
  progress.read(900);
  await clock.advance(10_000);
  assert.match(stderr.text, /\n90 % read, 500 records, 25 a second, 2\.22 s left\n$/);
  progress.read(1_000);
  await clock.advance(10_000);
  assert.match(stderr.text, /\n100 % read, 500 records, 17 a second\n$/);
});

test('what was done before counts, but neither for the rate nor for the time that is left', async () => {
  const { clock, stderr, telemetry, progress, report } = setUp();
  const before = { ...NO_COUNTS, published: 4_000, 'dead-lettered': 1, reasons: { tombstone: 1 } };
  progress.cancel();
  progress.start({ total: 1_000, unit: 'bytes', read: 400, before });
  await clock.advance(5_000);
  progress.read(600);
  settle(telemetry, 'published', 1_000);
  await clock.advance(5_000);
  assert.equal(stderr.text.split('\n')[0], '60 % read, 5,001 records, 100 a second, 20 s left');
  progress.stop(DONE, { stoppedBy: 'SIGTERM', mayGoOn: true });
  assert.match(
    stderr.text,
    /5,000 predictions, 1 dead letter \(1 tombstone\) in 10\.0 s; stopped by SIGTERM: the rest .*; --resume goes on where it stands\n$/,
  );
  assert.equal(report.text, '');
});

test('the summary counts what became of the records, and says how it ended', async () => {
  const endings: readonly (readonly [RunOutcome, string | undefined, string])[] = [
    [DONE, undefined, ''],
    [DONE, 'SIGTERM', '; stopped by SIGTERM: the rest of the input is not scored'],
    [
      { ...DONE, result: 'failed', error: new SluiceError('file-failed', 'the disk is full') },
      undefined,
      '; failed: the disk is full',
    ],
    [{ ...DONE, result: 'drain-budget' }, 'SIGTERM', '; not whole: flow.drain ran out before everything was written'],
  ];
  for (const [outcome, stoppedBy, ending] of endings) {
    const { clock, stderr, telemetry, progress } = setUp();
    settle(telemetry, 'published', 1);
    settle(telemetry, 'dead-lettered', 1_200);
    settle(telemetry, 'dropped', 3);
    telemetry.counter('sluice_dead_letters_total', { reason: 'decode-failed' }).add(1_199);
    telemetry.counter('sluice_dead_letters_total', { reason: 'too-large' }).add(1);
    telemetry.counter('sluice_dead_letters_total', { reason: 'tombstone' });
    await clock.advance(1_500);
    progress.stop(outcome, { stoppedBy });
    assert.equal(
      stderr.text,
      `1 prediction, 1,200 dead letters (1,199 decode-failed, 1 too-large), 3 dropped in 1.5 s${ending}\n`,
    );
  }
});

test('as JSON there is one line, on the stream for it', async () => {
  const { clock, stderr, report, telemetry, progress } = setUp({ json: true, tty: true });
  settle(telemetry, 'published', 2);
  await clock.advance(20_000);
  progress.stop({ ...DONE, result: 'failed', error: new SluiceError('file-failed', 'full') }, { stoppedBy: 'SIGINT' });
  assert.equal(stderr.text, '');
  assert.deepEqual(JSON.parse(report.text), {
    result: 'failed',
    stoppedBy: 'SIGINT',
    error: { code: 'file-failed', message: 'full' },
    published: 2,
    'dead-lettered': 0,
    dropped: 0,
    reasons: {},
    seconds: 20,
  });
});

test('cancelled, it says nothing and leaves no timer', () => {
  const { clock, stderr, report, progress } = setUp();
  progress.cancel();
  assert.deepEqual([clock.timers, stderr.text, report.text], [0, '', '']);
});
