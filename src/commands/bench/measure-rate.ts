import { type Clock, pause } from '../../kernel/clock.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { sendLoad } from './load.ts';
import type { Target } from './target.ts';
import { type Step, verdictOf } from './verdict.ts';
import { claimSent, type Watch } from './watch.ts';

export interface MeasureRateDeps {
  readonly clock: Clock;
  readonly target: Target;
  readonly watch: Watch;
  readonly values: readonly Buffer[];
  /** Ends sending, and soon after it the wait for answers. */
  readonly signal: AbortSignal;
}

export interface MeasureRateOptions {
  /** Names this measurement in the headers of its records. */
  readonly run: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** After so long without an answer, none is expected any more. */
  readonly quietMs: number;
}

const LOOK_MS = 50;
const MOST_WAIT_MS = 120_000;

/** Applies one rate, waits for the answers, and evaluates them. Resolves undefined if nothing was sent. */
export async function measureRate(deps: MeasureRateDeps, options: MeasureRateOptions): Promise<Step | undefined> {
  const { clock, target, watch, values, signal } = deps;
  const { run, perSecond, quietMs } = options;
  const starts = await target.ends();
  const ledger = createLedger(starts);
  watch.begin(ledger);
  const records = Math.max(1, Math.round(perSecond * options.seconds));
  const { topics } = target.topology.source;
  const { seconds, sent, lateMs } = await sendLoad(
    { clock, sink: target.sink, ledger, signal },
    { topics, values, run, perSecond, records },
  );
  const endMs = clock.monotonicMs();
  if (sent === 0) return undefined;
  const budgetMs = target.topology.flow.latencyBudgetMs;
  const looks = async (quiet: number, isOver: () => boolean): Promise<void> =>
    untilQuiet(clock, ledger, signal.aborted ? Math.min(quiet, INTERRUPTED_MS) : quiet, isOver);
  // While answers come, the reader has this thread to itself.
  await looks(Math.min(quietMs, Math.max(budgetMs, 4 * LOOK_MS)), () => ledger.answers >= sent);
  const looksMs = watch.looksMs();
  await claimSent(target.books, starts, run, ledger);
  await looks(quietMs, () => ledger.waiting() === 0);
  return verdictOf({ rate: perSecond, seconds, outcome: ledger.outcome(endMs), lateMs, looksMs, budgetMs });
}

/** After Ctrl-C, wait only for answers that are about to arrive. */
const INTERRUPTED_MS = 1_000;

async function untilQuiet(clock: Clock, ledger: Ledger, quietMs: number, isOver: () => boolean): Promise<void> {
  const startedMs = clock.monotonicMs();
  let last = ledger.answers;
  let lastMs = startedMs;
  while (!isOver()) {
    await pause(clock, LOOK_MS);
    const nowMs = clock.monotonicMs();
    if (ledger.answers > last) [last, lastMs] = [ledger.answers, nowMs];
    if (nowMs - lastMs > quietMs || nowMs - startedMs > MOST_WAIT_MS) return;
  }
}
