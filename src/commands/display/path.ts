import { PATH as WHOLE_PATH } from '../../telemetry/state/stages.ts';
import { bar, fit, percent } from './format.ts';
import { dim, type Line, type Piece, plain } from './line.ts';
import type { DisplayState } from './state.ts';

/** Without commit, which is not timed. */
export const PATH = WHOLE_PATH.slice(0, -1);

const SHORT: Readonly<Record<string, string>> = { preprocess: 'prep', postprocess: 'post' };
const ARROW = ' → ';
const LISTED_WHEN_NARROW = 4;

/** The path, with how busy each stage is: three lines if they fit, otherwise a list of the busiest. */
export function pathLines(state: DisplayState, columns: number): Line[] {
  const path = stagesOf(state);
  if (lengthOf(path) <= columns) return picture(state, path, path);
  const short = path.map((stage) => SHORT[stage] ?? stage);
  if (lengthOf(short) <= columns) return picture(state, path, short);
  return list(state, columns);
}

/** Pipelines without `details` do not have that stage. */
function stagesOf({ busy }: DisplayState): readonly string[] {
  return PATH.filter((stage) => stage !== 'details' || busy.some((one) => one.stage === stage));
}

function lengthOf(names: readonly string[]): number {
  return names.join(ARROW).length + 1;
}

function picture(state: DisplayState, path: readonly string[], names: readonly string[]): Line[] {
  const ratios = ratiosOf(state);
  const labels: Piece[] = [plain(' ')];
  const bars: Piece[] = [plain(' ')];
  const shares: Piece[] = [plain(' ')];
  path.forEach((stage, i) => {
    const name = names[i];
    const ratio = ratios.get(stage);
    const slowest = stage === state.bottleneck;
    if (i > 0) {
      labels.push(dim(ARROW));
      bars.push(plain('   '));
      shares.push(plain('   '));
    }
    labels.push([slowest ? 'warn' : 'bold', name]);
    if (ratio === undefined) {
      bars.push(dim('·'.repeat(name.length)));
      shares.push(plain(' '.repeat(name.length)));
      return;
    }
    const [filled, rest] = bar(ratio, name.length);
    bars.push([slowest ? 'warn' : 'accent', filled], dim(rest));
    shares.push([slowest ? 'warn' : 'dim', fit(percent(ratio), name.length)]);
  });
  return [labels, bars, shares];
}

function list(state: DisplayState, columns: number): Line[] {
  const width = Math.max(4, Math.min(24, columns - 20));
  return [...state.busy]
    .sort((a, b) => b.ratio - a.ratio)
    .slice(0, LISTED_WHEN_NARROW)
    .map(({ stage, ratio }) => {
      const [filled, rest] = bar(ratio, width);
      const slowest = stage === state.bottleneck;
      return [
        [slowest ? 'warn' : 'bold', ` ${fit(stage, 11)} `],
        [slowest ? 'warn' : 'accent', filled],
        dim(rest),
        plain(` ${percent(ratio)}`),
      ] satisfies Line;
    });
}

function ratiosOf(state: DisplayState): ReadonlyMap<string, number> {
  return new Map(state.busy.map(({ stage, ratio }) => [stage, ratio]));
}
