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
  /** What it did not say itself. */
  readonly thrown: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** It has told its own log why. */
  readonly told: boolean;
}

/** One instance, seen from main. */
export interface Member {
  readonly index: number;
  /** Never rejects. */
  readonly ended: Promise<Ending>;
  health(): Health;
  order(order: Order): void;
  /** What it has counted; the last known where it does not answer in time. */
  share(): Promise<Share>;
  /** The dead letters it told of with its share. */
  letters(): readonly Letter[];
  /** It is not waited for any longer. */
  giveUp(): void;
}

/** A loop that stands still so long makes no progress; a moment of it is a long run of a model, or a load. */
const SILENT_MS = 3_000;
/** … and will not without a restart. What asks `/live` of one pipeline is as patient. */
const STUCK_MS = 30_000;
/** A scrape is not kept waiting longer. */
const SHARE_WITHIN_MS = 1_000;

const STARTING: Health = { live: true, ready: false, reason: 'starting' };

/** Starts the thread of an instance. Whatever ends it (a thrown error, an exit) is its ending. */
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
