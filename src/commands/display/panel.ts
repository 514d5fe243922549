import { bar, bytes, count, duration, fit, percent, sparkline, stopwatch } from './format.ts';
import { apart, bold, dim, type Line, type Piece, plain, type Style, widthOf } from './line.ts';
import { pathLines } from './path.ts';
import type { Rates } from './rates.ts';
import type { DisplayState } from './state.ts';

const LABEL_WIDTH = 13;
const BAR_WIDTH = 20;
const NARROW_COLUMNS = 60;
const MAX_SAMPLES = 5;
const MAX_REASONS = 4;
/** Credit nearly used up: the sink or the model limits the intake. */
const FULL_RATIO = 0.95;

/** The live panel, top to bottom, for a terminal of `columns`. */
export function panelLines(state: DisplayState, rates: Rates, columns: number): Line[] {
  const roomy = columns >= NARROW_COLUMNS;
  return [
    titleLine(state, columns),
    [],
    ...pathLines(state, columns),
    [],
    recordsLine(state, rates, columns),
    row('batch', [bold(mean(state.rows, state.batches)), dim(' rows'), dim(`   ${count(state.batches)} batches`)]),
    row('inside', [...spread(state.p50Ms, state.p99Ms), dim(roomy ? '   from fetch to acknowledgement' : '')]),
    row('event age', spread(state.ageP50Ms, state.ageP99Ms)),
    ...inFlightLines(state, roomy),
    lagLine(state),
    ...cacheLine(state),
    deadLetterLine(state),
    bottleneckLine(state),
    ...sampleLines(state),
  ];
}

/** The summary at the end of a run: plain text, one figure per line. */
export function summaryLines(state: DisplayState): Line[] {
  const perSecond = (state.records * 1000) / Math.max(1, state.elapsedMs);
  return [
    row('records', [bold(count(state.records)), dim(` in ${duration(state.elapsedMs)}, ${count(perSecond)} a second`)]),
    row('published', [[state.published > 0 ? 'good' : 'plain', count(state.published)]]),
    deadLetterLine(state),
    ...(state.dropped > 0 ? [row('dropped', [plain(count(state.dropped))])] : []),
    row('batch', [bold(mean(state.rows, state.batches)), dim(` rows, ${count(state.batches)} batches`)]),
    row('inside', spread(state.p50Ms, state.p99Ms)),
    row('event age', spread(state.ageP50Ms, state.ageP99Ms)),
    ...cacheLine(state),
    ...(state.model === '' ? [] : [row('model', [plain(`${state.model} on ${state.device || 'unknown'}`)])]),
  ];
}

function titleLine(state: DisplayState, columns: number): Line {
  const short: Line = [
    ['title', ' ▍sluice '],
    ['bold', ` ${state.topology}`],
  ];
  const about = [state.model, state.device].filter((part) => part !== '');
  const full: Line = [...short, ...about.flatMap((part) => [dim(' · '), plain(part)])];
  const style: Style = state.phase === 'running' ? 'good' : 'warn';
  const right: Line = [[style, state.phase], dim(`  ${stopwatch(state.elapsedMs)} `)];
  return apart(widthOf(full) + widthOf(right) + 2 <= columns ? full : short, right, columns);
}

function recordsLine(state: DisplayState, rates: Rates, columns: number): Line {
  const pieces: Piece[] = [bold(count(state.records)), plain('   '), bold(count(rates.perSecond)), dim('/s')];
  const left = row('records', pieces);
  const room = columns - 50;
  if (room < 10 || rates.history.length < 2) return left;
  const shown = rates.history.slice(-Math.min(60, room));
  return [...left, plain('   '), ['accent', sparkline(shown)], dim(` ${shown.length} s`)];
}

function inFlightLines(state: DisplayState, roomy: boolean): Line[] {
  const { inflightRecords, maxInflightRecords, inflightBytes, maxInflightBytes } = state;
  const used = Math.max(share(inflightRecords, maxInflightRecords), share(inflightBytes, maxInflightBytes));
  const style: Style = used >= FULL_RATIO ? 'warn' : 'accent';
  const figures = `${count(inflightRecords)} of ${count(maxInflightRecords)}`;
  if (!roomy) return [row('in flight', [[style === 'warn' ? 'warn' : 'plain', figures]])];
  const [filled, rest] = bar(used, BAR_WIDTH);
  return [
    row('in flight', [
      [style, filled],
      dim(rest),
      plain(`  ${figures}`),
      dim(`   ${bytes(inflightBytes)} of ${bytes(maxInflightBytes)}`),
    ]),
  ];
}

function lagLine(state: DisplayState): Line {
  if (Number.isNaN(state.lagRecords)) return row('lag', [dim('unknown')]);
  const pieces: Piece[] = [bold(count(state.lagRecords)), dim(' records')];
  if (!Number.isNaN(state.lagSeconds)) pieces.push(plain(`   ${duration(state.lagSeconds * 1000)}`), dim(' behind'));
  return row('lag', pieces);
}

function cacheLine(state: DisplayState): Line[] {
  const asked = state.cacheHits + state.cacheMisses;
  if (asked === 0) return [];
  return [row('cache', [bold(percent(state.cacheHits / asked)), dim(` hits   ${count(asked)} look-ups`)])];
}

function deadLetterLine(state: DisplayState): Line {
  const reasons = Object.entries(state.deadLettered)
    .filter(([, records]) => records > 0)
    .sort(([, a], [, b]) => b - a);
  const all = reasons.reduce((sum, [, records]) => sum + records, 0);
  if (all === 0) return row('dead letters', [['good', '0']]);
  const shown = reasons.slice(0, MAX_REASONS).map(([reason, records]) => `${reason} ${count(records)}`);
  if (reasons.length > MAX_REASONS) shown.push(`${reasons.length - MAX_REASONS} more`);
  return row('dead letters', [['bad', count(all)], dim(`   ${shown.join(' · ')}`)]);
}

function bottleneckLine(state: DisplayState): Line {
  return row('bottleneck', state.bottleneck === '' ? [dim('none')] : [['warn', state.bottleneck]]);
}

function sampleLines(state: DisplayState): Line[] {
  if (state.samples.length === 0) return [];
  return [[], ...state.samples.slice(-MAX_SAMPLES).map((text, i) => row(i === 0 ? 'latest' : '', [plain(text)]))];
}

function spread(p50Ms: number, p99Ms: number): Piece[] {
  return [dim('p50 '), bold(fit(duration(p50Ms), 9)), dim('  p99 '), bold(fit(duration(p99Ms), 9))];
}

function row(label: string, pieces: readonly Piece[]): Line {
  return [dim(` ${fit(label, LABEL_WIDTH)}`), ...pieces];
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

function mean(sum: number, n: number): string {
  return n === 0 ? '–' : (sum / n).toFixed(1);
}
