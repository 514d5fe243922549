import type { Timer } from '../../kernel/clock.ts';
import type { RunOutcome } from '../../runner.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';

export interface BatchProgress {
  read(bytes: number): void;
  start(): void;
  /** Ends with a summary; `stoppedBy` is the signal that came before the end of the input. */
  stop(outcome: RunOutcome, stoppedBy: string | undefined): void;
  /** Ends without a word. */
  cancel(): void;
}

const EVERY_MS = 1_000;

/** What a batch says: how far it is, on a terminal in place, otherwise a line every now and then; a summary at the end. */
export function createBatchProgress(
  io: Pick<Io, 'clock' | 'stderr'> & {
    /** Where the summary goes as JSON. */
    readonly report: NodeJS.WritableStream;
  },
  telemetry: MetricStore,
  /** `totalBytes` 0: nobody knows. */
  options: { readonly totalBytes: number; readonly json: boolean },
): BatchProgress {
  const { clock, stderr, report } = io;
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
    const read =
      options.totalBytes > 0
        ? `${Math.floor((100 * Math.min(readBytes, options.totalBytes)) / options.totalBytes)} %`
        : `${(readBytes / 1e6).toFixed(1)} MB`;
    return `${read} read, ${records.toLocaleString('en')} records, ${Math.round(records / seconds()).toLocaleString('en')} a second`;
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
    cancel: () => timer?.cancel(),
    stop(outcome, stoppedBy) {
      timer?.cancel();
      if (tty) stderr.write('\r\u001b[K');
      const counts = fates();
      const reasons = Object.fromEntries(
        telemetry
          .series('sluice_dead_letters_total')
          .flatMap((one) => (one.kind === 'value' && one.value > 0 ? [[one.labels.reason, one.value]] : [])),
      );
      const { result, error } = outcome;
      if (options.json) {
        const ended = { result, stoppedBy, error: error && { code: error.code, message: error.message } };
        report.write(`${JSON.stringify({ ...ended, ...counts, reasons, seconds: seconds() })}\n`);
        return;
      }
      const why = Object.entries(reasons).map(([reason, n]) => `${n.toLocaleString('en')} ${reason}`);
      const dead = counts['dead-lettered'];
      stderr.write(
        [
          many(counts.published, 'prediction'),
          dead > 0 ? `, ${many(dead, 'dead letter')} (${why.join(', ')})` : '',
          counts.dropped > 0 ? `, ${counts.dropped.toLocaleString('en')} dropped` : '',
          ` in ${seconds().toFixed(1)} s`,
          endOf(result, error, stoppedBy),
          '\n',
        ].join(''),
      );
    },
  };
}

function endOf(result: RunOutcome['result'], error: RunOutcome['error'], stoppedBy: string | undefined): string {
  if (error !== undefined) return `; failed: ${error.message}`;
  if (result === 'drain-budget') return '; not whole: flow.drain ran out before everything was written';
  return stoppedBy === undefined ? '' : `; stopped by ${stoppedBy}: the rest of the input is not scored`;
}

function many(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
