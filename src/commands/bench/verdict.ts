import type { Outcome } from './ledger.ts';

/** Result of measuring one rate. Pure, computed from the counts. */
export interface Step {
  /** Records per second: requested, and handed to the client. */
  readonly rate: number;
  readonly achieved: number;
  readonly seconds: number;
  readonly sent: number;
  readonly predictions: number;
  readonly deadLetters: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly unanswered: number;
  readonly duplicates: number;
  /** Of predictions, from the intended send time to the arrival of the output here, ms; null if there are none. */
  readonly latencyMs: Latency | null;
  /** Records that took longer than the budget or have no answer. */
  readonly misses: number;
  readonly missedShare: number;
  /** Records under way when sending ended. */
  readonly underWay: number;
  /** How late the generator handed over records, ms; included in the latencies. */
  readonly lateness: { readonly p50: number; readonly p99: number; readonly max: number };
  /** p99 of one poll of the topics by the reader, ms; a latency is overestimated by at most this. */
  readonly readerMs: number;
  /** Why the figures describe the bench rather than the pipeline; empty if they do not. */
  readonly invalid: string;
  /** Whether the rate keeps the budget. */
  readonly keeps: boolean;
  /** Why it does not, for people. */
  readonly why: string;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Counted {
  readonly rate: number;
  readonly seconds: number;
  readonly outcome: Outcome;
  /** One entry per record, ms; will be sorted. */
  readonly lateMs: Float64Array;
  /** One entry per poll, ms; will be sorted. */
  readonly looksMs: Float64Array;
  readonly budgetMs: number;
}

/** Share of records that may miss the budget. */
export const MISSES_ALLOWED = 0.001;
/** A generator later than this share of the budget, or slower by this share of the rate, measures itself. */
const OWN_SHARE = 0.25;
const RATE_SHARE = 0.98;

export function verdictOf({ rate, seconds, outcome, lateMs, looksMs, budgetMs }: Counted): Step {
  const { sent, predictions, deadLetters, reasons, unanswered, duplicates, latencies, underWay } = outcome;
  lateMs.sort();
  looksMs.sort();
  const misses = latencies.length - countUpTo(latencies, budgetMs) + unanswered;
  const missedShare = sent === 0 ? 0 : misses / sent;
  const achieved = seconds > 0 ? sent / seconds : 0;
  const lateness = { p50: quantile(lateMs, 0.5), p99: quantile(lateMs, 0.99), max: quantile(lateMs, 1) };
  const readerMs = quantile(looksMs, 0.99);
  // Little's law: within the budget no more than this can be under way; the reader sees an answer one poll late.
  const bearable = (rate * (budgetMs + readerMs + lateness.p99)) / 1000 + 1;
  const why =
    predictions === 0
      ? 'no prediction came out'
      : missedShare > MISSES_ALLOWED
        ? `${percent(missedShare)} missed ${budgetMs} ms`
        : underWay > bearable
          ? `outputs fall behind: ${underWay} records were under way at the end`
          : '';
  const invalid = invalidity({ rate, achieved, lateness: lateness.p99, readerMs, budgetMs, keeps: why === '' });
  return {
    rate,
    achieved,
    seconds,
    sent,
    predictions,
    deadLetters,
    reasons,
    unanswered,
    duplicates,
    latencyMs:
      predictions === 0
        ? null
        : {
            p50: quantile(latencies, 0.5),
            p99: quantile(latencies, 0.99),
            p999: quantile(latencies, 0.999),
            max: quantile(latencies, 1),
          },
    misses,
    missedShare,
    underWay,
    lateness,
    readerMs,
    invalid,
    keeps: why === '',
    why,
  };
}

interface Own {
  readonly rate: number;
  readonly achieved: number;
  readonly lateness: number;
  readonly readerMs: number;
  readonly budgetMs: number;
  readonly keeps: boolean;
}

/** The bench's own delay is included in the latencies, so a kept budget is valid; a broken one may not be. */
function invalidity({ rate, achieved, lateness, readerMs, budgetMs, keeps }: Own): string {
  const most = budgetMs * OWN_SHARE;
  if (achieved < rate * RATE_SHARE)
    return `the generator, or the broker that it writes to, kept ${Math.round(achieved)} of ${Math.round(rate)} records/s`;
  if (keeps) return '';
  if (lateness > most) return `the generator was ${lateness.toFixed(1)} ms late (p99): it, or the broker, is too busy`;
  if (readerMs > most) return `the reader of outputs took ${readerMs.toFixed(1)} ms a look (p99)`;
  return '';
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 2 : 0)} %`;

/** Of sorted values; the maximum for 1; 0 if empty. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

function countUpTo(sorted: Float64Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
