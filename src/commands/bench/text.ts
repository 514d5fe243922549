import type { Step } from './verdict.ts';

export interface BenchReport {
  readonly topology: string;
  readonly source: readonly string[];
  readonly output: string;
  readonly deadLetters: string;
  readonly budgetMs: number;
  readonly values: { readonly from: 'input' | 'synthetic'; readonly records: number };
  /** Prefix of the records' `sluice-bench` headers. */
  readonly run: string;
  /** The signal that ended it early. */
  readonly ended?: string;
  /** After a search: the highest rate that kept the budget, 0 for none, and what ended the search. */
  readonly knee?: { readonly perSecond: number; readonly bound: 'budget' | 'bench' | 'steps' | 'signal' };
  readonly steps: readonly Step[];
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : whole(value));

/** One line per step. */
export function stepLine(step: Step): string {
  const { rate, latencyMs, missedShare, invalid, keeps, why } = step;
  const latency =
    latencyMs === null
      ? 'no predictions'
      : `p50 ${ms(latencyMs.p50)}  p99 ${ms(latencyMs.p99)}  p99.9 ${ms(latencyMs.p999)} ms`;
  const verdict = invalid !== '' ? `invalid: ${invalid}` : keeps ? 'keeps' : `breaks: ${why}`;
  return `${whole(rate).padStart(9)}/s  ${latency}  misses ${(missedShare * 100).toFixed(2)} %  ${verdict}`;
}

const LABEL = 10;
const line = (label: string, text: string): string => `${label.padEnd(LABEL)}${text}`;

/** The report for people; the deciding step in full. */
export function textOf(report: BenchReport): string {
  const { topology, source, output, budgetMs, steps, knee, ended } = report;
  const lines = [line('pipeline', `${topology}: ${source.join(', ')} → ${output}, ${budgetMs} ms`)];
  if (ended !== undefined) lines.push(line('ended', `by ${ended}; this is what was found until then`));
  if (knee !== undefined) lines.push(line('knee', kneeText(knee, budgetMs)));
  const shown =
    knee === undefined ? steps.at(-1) : steps.findLast((step) => step.rate === knee.perSecond && step.keeps);
  if (shown !== undefined) lines.push(...stepText(shown, budgetMs));
  if (steps.length === 0) lines.push(line('', 'nothing was measured'));
  return `${lines.join('\n')}\n`;
}

function kneeText({ perSecond, bound }: NonNullable<BenchReport['knee']>, budgetMs: number): string {
  if (perSecond === 0) return `no rate that was tried keeps ${budgetMs} ms`;
  const because = {
    budget: 'a tenth more does not',
    bench: 'at least: beyond it this bench is too slow itself',
    steps: 'at least: the search was long enough',
    signal: 'at least: the search was ended',
  };
  return `${whole(perSecond)} records/s keep ${budgetMs} ms; ${because[bound]}`;
}

function stepText(step: Step, budgetMs: number): readonly string[] {
  const { rate, achieved, seconds, sent, predictions, deadLetters, reasons, unanswered, duplicates } = step;
  const { latencyMs, misses, missedShare, lateness, readerMs, invalid, keeps, why } = step;
  const named = Object.entries(reasons).map(([reason, count]) => `${reason} ${whole(count)}`);
  const lines = [
    line('rate', `${whole(achieved)} records/s of ${whole(rate)} for ${seconds.toFixed(1)} s`),
    line(
      'records',
      `${whole(sent)} sent, ${whole(predictions)} predictions, ${whole(deadLetters)} dead letters${named.length === 0 ? '' : ` (${named.join(', ')})`}, ${whole(unanswered)} unanswered${duplicates === 0 ? '' : `; ${whole(duplicates)} answers came again`}`,
    ),
  ];
  if (latencyMs !== null) {
    const { p50, p99, p999, max } = latencyMs;
    lines.push(
      line('latency', `p50 ${ms(p50)}, p99 ${ms(p99)}, p99.9 ${ms(p999)}, max ${ms(max)} ms, from the intended time`),
    );
  }
  const verdict = keeps ? 'the budget is kept' : why;
  lines.push(
    line('misses', `${whole(misses)}, ${(missedShare * 100).toFixed(3)} %, of ${budgetMs} ms: ${verdict}`),
    line(
      'bench',
      `${ms(lateness.p50)} ms late at p50, ${ms(lateness.p99)} at p99; a look at the outputs took ${ms(readerMs)} ms (p99)`,
    ),
  );
  if (invalid !== '') lines.push(line('invalid', invalid));
  return lines;
}
