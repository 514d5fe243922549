import type { Timer } from '../../kernel/clock.ts';
import type { RunOutcome } from '../../runner.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';
import { count, counted, duration } from '../display/format.ts';
import type { Io } from '../io.ts';
import type { Counts } from './bookmark.ts';
import { countsOf, NO_COUNTS, settledOf } from './counts.ts';

/** How much there is to read, and how much of it earlier runs have done. */
export interface Begun {
  /** 0: unknown. */
  readonly total: number;
  readonly unit: 'bytes' | 'offsets';
  readonly read: number;
  readonly before: Counts;
}

export interface BatchProgress {
  /** Reports bytes or offsets read so far. */
  read(count: number): void;
  readSoFar(): number;
  start(begun: Begun): void;
  /** Prints the summary. */
  stop(outcome: RunOutcome, ending: Ending): void;
  /** Ends without printing anything. */
  cancel(): void;
}

export interface Ending {
  /** The signal that ended the run early. */
  readonly stoppedBy?: string | undefined;
  /** The run can be resumed. */
  readonly mayGoOn?: boolean;
  /** An earlier run has done everything. */
  readonly nothingLeft?: boolean;
  /** Partition → offset at which an open transaction holds back the records after it. */
  readonly heldBack?: ReadonlyMap<number, number>;
}

const EVERY_MS = 1_000;

/** Progress of a batch: updated in place on a terminal, otherwise a line at intervals; a summary at the end. */
export function createBatchProgress(
  io: Pick<Io, 'clock' | 'stderr'> & {
    /** Where the JSON summary goes. */
    readonly report: NodeJS.WritableStream;
  },
  telemetry: MetricStore,
  options: { readonly limit: number; readonly json: boolean },
): BatchProgress {
  const { clock, stderr, report } = io;
  const startedMs = clock.monotonicMs();
  const tty = stderr.isTTY === true && !options.json;
  let read = 0;
  let begun: Begun = { total: 0, unit: 'bytes', read: 0, before: NO_COUNTS };
  let timer: Timer | undefined;
  let ticks = 0;

  const counts = (): Counts => countsOf(telemetry, begun.before);
  const seconds = (): number => (clock.monotonicMs() - startedMs) / 1000;

  /** Share of the input, or of what the limit allows; NaN if unknown. */
  function shareOf(readSoFar: number, records: number): number {
    const { limit } = options;
    const { total } = begun;
    const ofInput = total > 0 ? Math.min(readSoFar, total) / total : 0;
    return total > 0 || Number.isFinite(limit) ? Math.max(ofInput, records / limit) : Number.NaN;
  }

  function line(): string {
    const before = settledOf(begun.before);
    const records = settledOf(counts());
    const share = shareOf(Math.max(read, begun.read), records);
    const done = share - shareOf(begun.read, before);
    const parts = [
      Number.isNaN(share)
        ? `${begun.unit === 'bytes' ? `${(read / 1e6).toFixed(1)} MB` : count(read)} read`
        : `${Math.floor(100 * share)} % read`,
      `${count(records)} records`,
      `${count((records - before) / seconds())} a second`,
    ];
    if (done > 0 && share < 1) parts.push(`${duration((1_000 * seconds() * (1 - share)) / done)} left`);
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
    readSoFar: () => read,
    start(from) {
      begun = from;
      timer = clock.after(EVERY_MS, tick);
    },
    cancel: () => timer?.cancel(),
    stop(outcome, { stoppedBy, mayGoOn = false, nothingLeft = false, heldBack = new Map() }) {
      timer?.cancel();
      if (tty) stderr.write('\r\u001b[K');
      const { reasons, ...fates } = counts();
      const { result, error } = outcome;
      if (options.json) {
        const ended = { result, stoppedBy, error: error && { code: error.code, message: error.message } };
        const held = heldBack.size > 0 && { heldBack: Object.fromEntries(heldBack) };
        const goesOn = {
          ...held,
          ...(mayGoOn && { mayGoOn }),
          ...(nothingLeft && { nothingLeft }),
          ...(settledOf(begun.before) > 0 && { before: begun.before }),
        };
        report.write(`${JSON.stringify({ ...ended, ...fates, reasons, ...goesOn, seconds: seconds() })}\n`);
        return;
      }
      const why = Object.entries(reasons).map(([reason, n]) => `${count(n)} ${reason}`);
      const dead = fates['dead-lettered'];
      stderr.write(
        [
          counted(fates.published, 'prediction'),
          dead > 0 ? `, ${counted(dead, 'dead letter')} (${why.join(', ')})` : '',
          fates.dropped > 0 ? `, ${count(fates.dropped)} dropped` : '',
          ` in ${seconds().toFixed(1)} s`,
          endOf(result, error, stoppedBy),
          mayGoOn ? '; --resume goes on where it stands' : '',
          '\n',
        ].join(''),
      );
      if (heldBack.size === 0) return;
      const places = [...heldBack].map(([partition, offset]) => `${partition}:${offset}`).join(',');
      stderr.write(
        `a transaction that is still open holds more records back; once it has ended, --from ${places} reads them\n`,
      );
    },
  };
}

function endOf(result: RunOutcome['result'], error: RunOutcome['error'], stoppedBy: string | undefined): string {
  if (error !== undefined) return `; failed: ${error.message}`;
  if (result === 'drain-budget') return '; not whole: flow.drain ran out before everything was written';
  return stoppedBy === undefined ? '' : `; stopped by ${stoppedBy}: the rest of the input is not scored`;
}
