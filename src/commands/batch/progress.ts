import type { Timer } from '../../kernel/clock.ts';
import type { RunOutcome } from '../../runner.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';
import { count, duration } from '../display/format.ts';
import type { Io } from '../io.ts';

/** How much there is to read. */
export interface Extent {
  /** 0: nobody knows. */
  readonly total: number;
  readonly unit: 'bytes' | 'offsets';
}

export interface BatchProgress {
  /** So many bytes or offsets are read. */
  read(count: number): void;
  start(extent: Extent): void;
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
  options: { readonly limit: number; readonly json: boolean },
): BatchProgress {
  const { clock, stderr, report } = io;
  const startedMs = clock.monotonicMs();
  const tty = stderr.isTTY === true && !options.json;
  let read = 0;
  let extent: Extent = { total: 0, unit: 'bytes' };
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

  /** Of the input, or of what the limit lets of it; NaN where nobody knows. */
  function shareOf(records: number): number {
    const { limit } = options;
    const { total } = extent;
    const shares = [records / limit, total > 0 ? Math.min(read, total) / total : 0];
    return total > 0 || Number.isFinite(limit) ? Math.max(...shares) : Number.NaN;
  }

  function line(): string {
    const counts = fates();
    const records = counts.published + counts['dead-lettered'] + counts.dropped;
    const share = shareOf(records);
    const parts = [
      Number.isNaN(share)
        ? `${extent.unit === 'bytes' ? `${(read / 1e6).toFixed(1)} MB` : count(read)} read`
        : `${Math.floor(100 * share)} % read`,
      `${count(records)} records`,
      `${count(records / seconds())} a second`,
    ];
    if (share > 0 && share < 1) parts.push(`${duration((1_000 * seconds() * (1 - share)) / share)} left`);
    return parts.join(', ');
  }

  function tick(): void {
    ticks++;
    if (tty) stderr.write(`\r\u001b[K${line()}`);
    else if (ticks % 10 === 0 && !options.json) stderr.write(`${line()}\n`);
    timer = clock.after(EVERY_MS, tick);
  }

  return {
    read(count) {
      read = count;
    },
    start(whole) {
      extent = whole;
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

function many(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}
