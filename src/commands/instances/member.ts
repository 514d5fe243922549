import { Worker } from 'node:worker_threads';
import type { Clock } from '../../kernel/clock.ts';
import { type ErrorCode, EXIT } from '../../kernel/errors.ts';
import type { Health } from '../../runner.ts';
import type { Share } from '../../telemetry/merge.ts';
import type { Letter } from '../../telemetry/state/dead-letters.ts';
import type { InstanceData, Order, Report } from './messages.ts';

/** How an instance ended. */
export interface Ending {
  readonly code: number;
  /** What the instance could not report itself. */
  readonly thrown: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** It has already logged the reason. */
  readonly told: boolean;
}

/** One instance, as seen by the main thread. */
export interface Member {
  readonly index: number;
  /** Never rejects. */
  readonly ended: Promise<Ending>;
  health(): Health;
  order(order: Order): void;
  /** Its metrics; the last known ones if it does not answer in time. */
  share(): Promise<Share>;
  /** The dead letters it reported along with its metrics. */
  letters(): readonly Letter[];
  /** Stops waiting for it. */
  giveUp(): void;
}

/** A loop that is blocked this long makes no progress; shorter blocks are long model runs, or loading. */
const SILENT_MS = 3_000;
/** … and this long, needs a restart. The `/live` probe of a single pipeline is as patient. */
const STUCK_MS = 30_000;
/** How long a scrape may have to wait. */
const SHARE_WITHIN_MS = 1_000;

const STARTING: Health = { live: true, ready: false, reason: 'starting' };

/** Starts an instance's thread. Whatever ends it (a thrown error, an exit) becomes its ending. */
export function startMember(
  data: InstanceData,
  { clock, entry }: { readonly clock: Clock; readonly entry: URL },
): Member {
  const { index } = data;
  const worker = new Worker(entry, { workerData: data, name: `instance ${index}` });
  let health = STARTING;
  let heardMs = Number.NaN;
  let share: Share = [];
  let letters: readonly Letter[] = [];
  let waiting: (() => void)[] = [];
  let over = false;
  let end: (ending: Ending) => void = () => undefined;
  const ended = new Promise<Ending>((resolve) => {
    end = (ending) => {
      over = true;
      answered();
      resolve(ending);
    };
  });

  function answered(): void {
    for (const resolve of waiting) resolve();
    waiting = [];
  }

  worker.on('message', (report: Report) => {
    heardMs = clock.monotonicMs();
    if (report.kind === 'health') health = report.health;
    else {
      share = report.share;
      if (report.kind === 'share') letters = report.letters ?? [];
      answered();
    }
    if (report.kind === 'ended') end({ code: report.code, thrown: report.thrown, told: true });
  });
  worker.once('error', (error) => {
    const { message = String(error) } = error as { readonly message?: string };
    end({ code: EXIT.failed, thrown: { code: 'unexpected', message }, told: false });
  });
  worker.once('exit', (code) => {
    const message = `its thread ended with code ${code}`;
    end({ code: EXIT.failed, thrown: { code: 'unexpected', message }, told: false });
  });

  const silentMs = (): number => (Number.isNaN(heardMs) ? 0 : clock.monotonicMs() - heardMs);

  return {
    index,
    ended,
    health() {
      if (over) return { live: false, ready: false, reason: 'ended' };
      const silent = silentMs();
      if (silent < SILENT_MS) return health;
      const reason = `has not answered for ${Math.floor(silent / 1000)} s`;
      return { live: health.live && silent < STUCK_MS, ready: false, reason };
    },
    order: (order) => worker.postMessage(order),
    async share() {
      if (over) return share;
      worker.postMessage('report' satisfies Order);
      await new Promise<void>((resolve) => {
        const timer = clock.after(SHARE_WITHIN_MS, resolve);
        waiting.push(() => {
          timer.cancel();
          resolve();
        });
      });
      return share;
    },
    letters: () => letters,
    giveUp: () => end({ code: EXIT.drainBudget, thrown: undefined, told: false }),
  };
}
