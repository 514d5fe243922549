import type { Timer } from '../kernel/clock.ts';
import type { RunOutcome } from '../runner.ts';
import type { MetricStore } from '../telemetry/metrics.ts';
import type { Io } from './io.ts';

export interface BatchProgress {
  read(bytes: number): void;
  start(): void;
  stop(outcome: RunOutcome): void;
}

const EVERY_MS = 1_000;

/** What a batch says on standard error: how far it is, on a terminal in place, otherwise a line every now and then; a summary at the end. */
export function createBatchProgress(
  io: Pick<Io, 'clock' | 'stderr'>,
  telemetry: MetricStore,
  options: { readonly totalBytes: number; readonly json: boolean },
): BatchProgress {
  const { clock, stderr } = io;
  const startedMs = clock.monotonicMs();
  const tty = stderr.isTTY === true && !options.json;
  let readBytes = 0;
  let timer: Timer | undefined;
  let ticks = 0;

  const fates = (): Record<string, number> => {
    const counts: Record<string, number> = { published: 0, 'dead-lettered': 0, dropped: 0 };
    for (const one of telemetry.series('sluice_records_total')) {
      if (one.kind === 'value') counts[one.labels.fate] = one.value;
    }
    return counts;
  };
  const seconds = (): number => (clock.monotonicMs() - startedMs) / 1000;

  function line(): string {
    const counts = fates();
    const records = counts.published + counts['dead-lettered'] + counts.dropped;
    const share =
      options.totalBytes > 0 ? Math.floor((100 * Math.min(readBytes, options.totalBytes)) / options.totalBytes) : 0;
    return `${share} % read, ${records.toLocaleString('en')} records, ${Math.round(records / seconds()).toLocaleString('en')} a second`;
  }

  function tick(): void {
    ticks++;
    if (tty) stderr.write(`\r\u001b[K${line()}`);
    else if (ticks % 10 === 0 && !options.json) stderr.write(`${line()}\n`);
    timer = clock.after(EVERY_MS, tick);
  }

  return {
    read(bytes) {
      readBytes = bytes;
    },
    start: () => {
      timer = clock.after(EVERY_MS, tick);
    },
    stop(outcome) {
      timer?.cancel();
      if (tty) stderr.write('\r\u001b[K');
      const counts = fates();
      const reasons = Object.fromEntries(
        telemetry
          .series('sluice_dead_letters_total')
          .flatMap((one) => (one.kind === 'value' && one.value > 0 ? [[one.labels.reason, one.value]] : [])),
      );
      if (options.json) {
        stderr.write(`${JSON.stringify({ result: outcome.result, ...counts, reasons, seconds: seconds() })}\n`);
        return;
      }
      const why = Object.entries(reasons).map(([reason, n]) => `${n} ${reason}`);
      const dead = counts['dead-lettered'] > 0 ? `, ${counts['dead-lettered']} dead letters (${why.join(', ')})` : '';
      const dropped = counts.dropped > 0 ? `, ${counts.dropped} dropped` : '';
      const end = outcome.result === 'done' ? '' : `; ended early: ${outcome.error?.message ?? outcome.result}`;
      stderr.write(
        `${counts.published.toLocaleString('en')} predictions${dead}${dropped} in ${seconds().toFixed(1)} s${end}\n`,
      );
    },
  };
}
