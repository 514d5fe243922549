import { anyMissing, type Block, numberCode } from '../emit.ts';
import { read, remembered, scalar, vector } from '../value.ts';
import { type FunctionSpec, pointwise } from './spec.ts';
import { fold } from './vectors.ts';

const STAYS = 'Missing stays missing.';

/** Powers below this count as 0: the spacing of float64 at 1. */
const TINY = 2 ** -52;

/** What a fitted scaler or transformer does to a value; its constants come from training. */
export const SCALING: readonly FunctionSpec[] = [
  {
    name: 'standardize',
    signature: 'standardize(x, mean, deviation)',
    doc: 'x in standard deviations from the mean. Both are constants.',
    formula: '(x - mean) / deviation',
    missing: 'Missing stays missing.',
    example: { expression: 'standardize(14, 10, 2)', gives: 2 },
    build: (call) => {
      call.arity(3);
      const mean = numberCode(call.constant(1));
      const deviation = call.constant(2);
      if (deviation <= 0) call.fail('the deviation must be above 0', 2);
      return call.map(1, (x) => `(${x} - ${mean}) / ${numberCode(deviation)}`);
    },
  },
  {
    name: 'minMax',
    signature: 'minMax(x, low, high)',
    doc: 'x on a scale where low is 0 and high is 1; not limited to that range, see clip. Both are constants.',
    formula: '(x - low) / (high - low)',
    missing: 'Missing stays missing.',
    example: { expression: 'minMax(15, 10, 20)', gives: 0.5 },
    build: (call) => {
      call.arity(3);
      const low = call.constant(1);
      const high = call.constant(2);
      if (high <= low) call.fail('high must be above low', 2);
      return call.map(1, (x) => `(${x} - ${numberCode(low)}) / ${numberCode(high - low)}`);
    },
  },
  {
    name: 'robust',
    signature: 'robust(x, median, range)',
    doc: 'Distance of x from the median, in units of the range between two quantiles, usually the quartiles: outliers do not set the scale. Both are constants.',
    formula: '(x - median) / range',
    missing: STAYS,
    example: { expression: 'robust(14, 10, 8)', gives: 0.5 },
    build: (call) => {
      call.arity(3);
      const median = numberCode(call.constant(1));
      const range = call.constant(2);
      if (range <= 0) call.fail('the range must be above 0', 2);
      return call.map(1, (x) => `(${x} - ${median}) / ${numberCode(range)}`);
    },
  },
  {
    name: 'interpolate',
    signature: 'interpolate(x, [x0, x1, …], [y0, y1, …])',
    doc: 'y on straight lines between points, constant before the first and after the last: calibration curves, isotonic regression. The points are constants, and the x rise.',
    formula: 'y[k] + (x - x[k]) · (y[k+1] - y[k]) / (x[k+1] - x[k])',
    missing: STAYS,
    example: { expression: 'interpolate(2.5, [1, 2, 4], [10, 20, 40])', gives: 25 },
    more: [{ expression: 'interpolate(9, [1, 2, 4], [10, 20, 40])', gives: 40 }],
    build: (call) => {
      call.arity(3);
      const xs = call.rising(1, 2);
      const ys = call.constants(2, 2);
      if (xs.length !== ys.length) call.fail(`${ys.length} y for ${xs.length} x: both lists must be equally long`, 2);
      const last = xs.length - 1;
      // A slope of 0 after the last point would turn infinity into NaN.
      const slopes = xs.slice(0, last).map((x, k) => (ys[k + 1] - ys[k]) / (xs[k + 1] - x));
      const parts = [held(xs), held(ys), held(slopes)];
      return pointwise(call, (x, block) => {
        const [px, py, steep] = parts.map((part) => part(block));
        const k = block.bind(`$bins(${x}, ${px})`);
        return `(${anyMissing(x)} ? NaN : ${k} === 0 ? ${numberCode(ys[0])} : ${k} > ${last} ? ${numberCode(ys[last])} : ${steep}[${k} - 1] * (${x} - ${px}[${k} - 1]) + ${py}[${k} - 1])`;
      });
    },
  },
  {
    name: 'quantile',
    signature: 'quantile(x, [q0, q1, …])',
    doc: 'Share of the training values below x, from 0 to 1, by equally spaced quantiles: the first is the least value, the last the greatest. They are constants and must not fall; equal ones give the middle of their shares.',
    formula: '½ · (interpolation from below + interpolation from above)',
    missing: STAYS,
    example: { expression: 'quantile(15, [0, 10, 20])', gives: 0.75 },
    more: [{ expression: 'quantile(-3, [0, 10, 20])', gives: 0 }],
    build: (call) => {
      call.arity(2);
      const q = call.constants(1, 2);
      if (q.some((value, k) => k > 0 && value < q[k - 1])) call.fail('the quantiles must not fall', 1);
      const last = q.length - 1;
      const shares = q.map((_, k) => k / last);
      const steep = q.map((x, k) => (k === last || q[k + 1] === x ? 0 : (shares[k + 1] - shares[k]) / (q[k + 1] - x)));
      const parts = [held(q), held(shares), held(steep)];
      return pointwise(call, (x, block) => {
        const [px, py, ps] = parts.map((part) => part(block));
        const [k, j] = [block.bind(`$bins(${x}, ${px})`), block.bind(`$below(${x}, ${px})`)];
        // Between the ends both ranks are 1 to `last`; if x is not a quantile they are equal, and so are both lines.
        const up = `${ps}[${k} - 1] * (${x} - ${px}[${k} - 1]) + ${py}[${k} - 1]`;
        const down = `${py}[${j}] - ${ps}[${j} - 1] * (${px}[${j}] - ${x})`;
        const ends = `${x} <= ${numberCode(q[0])} ? 0 : ${x} >= ${numberCode(q[last])} ? 1`;
        return `(${anyMissing(x)} ? NaN : ${ends} : 0.5 * (${up} + ${down}))`;
      });
    },
  },
  {
    name: 'bins',
    signature: 'bins(x, [b0, b1, …])',
    doc: 'Index of the bin that contains x: the number of bounds that x reaches. n bounds make n + 1 bins, 0 to n. Bounds are rising constants.',
    formula: '#{k : bound[k] ≤ x}',
    missing: STAYS,
    example: { expression: 'bins(18, [18, 40, 65])', gives: 1 },
    more: [{ expression: 'oneHot(bins(17, [18, 40, 65]), 4)', gives: [1, 0, 0, 0] }],
    build: (call) => {
      call.arity(2);
      const bounds = call.rising(1);
      const list = held(bounds);
      return pointwise(call, (x, block) => `(${anyMissing(x)} ? NaN : $bins(${x}, ${list(block)}))`);
    },
  },
  {
    name: 'boxCox',
    signature: 'boxCox(x, lambda)',
    doc: 'Power transform that makes a skewed distribution of positive values more symmetric. lambda is a constant.',
    formula: '(x^λ - 1) / λ, ln x if λ = 0',
    missing: `${STAYS} Below 0 gives missing.`,
    example: { expression: 'boxCox(9, 0.5)', gives: 4 },
    more: [{ expression: 'boxCox(-1, 0.5)', gives: Number.NaN }],
    build: (call) => {
      call.arity(2);
      const lambda = call.constant(1);
      if (Math.abs(lambda) < TINY) return call.map(1, (x) => `Math.log(${x})`);
      const power = numberCode(lambda);
      return call.map(1, (x) => `Math.expm1(${power} * Math.log(${x})) / ${power}`);
    },
  },
  {
    name: 'yeoJohnson',
    signature: 'yeoJohnson(x, lambda)',
    doc: 'Yeo-Johnson power transform: like boxCox, but for negative values too. lambda is a constant.',
    formula: '((1+x)^λ - 1) / λ for x ≥ 0, -((1-x)^(2-λ) - 1) / (2-λ) for x < 0; logarithms if a power is 0',
    missing: STAYS,
    example: { expression: 'yeoJohnson(3, 0.5)', gives: 2 },
    more: [{ expression: 'yeoJohnson(-3, 1)', gives: -3 }],
    build: (call) => {
      call.arity(2);
      const lambda = call.constant(1);
      const powered = (power: number, log: string): string =>
        Math.abs(power) < TINY ? log : `Math.expm1(${numberCode(power)} * ${log}) / ${numberCode(power)}`;
      return call.map(
        1,
        (x) => `(${x} >= 0 ? ${powered(lambda, `Math.log1p(${x})`)} : -(${powered(2 - lambda, `Math.log1p(-${x})`)}))`,
      );
    },
  },
  {
    name: 'unit',
    signature: 'unit(v)',
    doc: 'The vector scaled to length 1: each element divided by the root of the sum of squares. A vector of zeros stays unchanged.',
    formula: 'v[k] / √Σ v[j]²',
    missing: 'A missing element gives missing throughout.',
    example: { expression: 'unit([3, 4])', gives: [0.6, 0.8] },
    build: (call) => {
      call.arity(1);
      const v = remembered(call.vector(0));
      const square = remembered(scalar(v.missing, (root) => fold(v, root, '0', (so, x) => `${so} + ${x} * ${x}`)));
      return vector(v.width, v.missing, (block, k) => {
        const total = read(square, block, 0);
        const length = block.root.bind(`${total} === 0 ? 1 : Math.sqrt(${total})`);
        return `${read(v, block, k)} / ${length}`;
      });
    },
  },
];

/** Constants as a typed array, made once for a program. */
function held(values: readonly number[]): (block: Block) => string {
  let name: string | undefined;
  return ({ program }) => {
    name ??= program.constant(Float64Array.from(values));
    return name;
  };
}

/** Set up only for programs that use them: how many of the rising bounds are ≤ x, and how many are < x. */
export const RANK_HELPERS: readonly string[] = (
  [
    ['$bins', '<='],
    ['$below', '<'],
  ] as const
).map(([name, op]) =>
  [
    `const ${name} = (x, bounds) => {`,
    '  let low = 0, high = bounds.length;',
    '  while (low < high) {',
    '    const middle = (low + high) >> 1;',
    `    if (bounds[middle] ${op} x) low = middle + 1;`,
    '    else high = middle;',
    '  }',
    '  return low;',
    '};',
  ].join('\n'),
);
