import { anyMissing } from '../emit.ts';
import { elementwiseSpec, type FunctionSpec } from './spec.ts';

const STAYS = 'A missing argument gives missing.';
const BELOW_0 = `${STAYS} Below 0 gives missing, 0 gives minus infinity.`;

/** Largest magnitude up to which x - n·floor(x/n) is exact for whole n (see `modCode`). */
const EXACT = 2 ** 52;
const WHOLE_LIMIT = 2 ** 31;

function one(
  name: string,
  doc: string,
  formula: string,
  example: readonly [string, number],
  code: (x: string) => string,
  missing = STAYS,
): FunctionSpec {
  const [expression, gives] = example;
  const spec = { name, signature: `${name}(x)`, doc, formula, missing, example: { expression, gives } };
  return elementwiseSpec(spec, 1, code);
}

function two(
  signature: string,
  doc: string,
  formula: string,
  example: readonly [string, number],
  code: (x: string, y: string) => string,
  missing = STAYS,
): FunctionSpec {
  const [expression, gives] = example;
  const name = signature.slice(0, signature.indexOf('('));
  return elementwiseSpec({ name, signature, doc, formula, missing, example: { expression, gives } }, 2, code);
}

/**
 * Floor modulo. The machine's remainder of doubles is slow (tens of ns) → for a whole constant n and |x| ≤ 2^52 the quotient's
 * floor is right or one too large, and both products are exact, so the corrected difference equals the exact remainder.
 */
function modCode(x: string, n: string): string {
  const whole = /^\d+$/.test(n) && Number(n) > 0 && Number(n) <= WHOLE_LIMIT;
  if (!whole) return `$mod(${x}, ${n})`;
  const difference = `${x} - ${n} * Math.floor(${x} / ${n})`;
  return `(Math.abs(${x}) <= ${EXACT} ? (${difference} < 0 ? ${difference} + ${n} : ${difference}) : $mod(${x}, ${n}))`;
}

/** JavaScript gives NaN for ±1 to an infinite power; C and numpy, and therefore training, give 1. */
function powerCode(x: string, y: string): string {
  const power = `Math.pow(${x}, ${y})`;
  if (/^[\d.]+$/.test(y)) return power;
  return `(Math.abs(${x}) === 1 && Math.abs(${y}) === Infinity ? 1 : ${power})`;
}

export const MATH: readonly FunctionSpec[] = [
  one('abs', 'Magnitude.', '|x|', ['abs(-2.5)', 2.5], (x) => `Math.abs(${x})`),
  one('floor', 'Largest whole number not above x.', '⌊x⌋', ['floor(-1.5)', -2], (x) => `Math.floor(${x})`),
  one('ceil', 'Smallest whole number not below x.', '⌈x⌉', ['ceil(1.2)', 2], (x) => `Math.ceil(${x})`),
  one('round', 'Nearest whole number, halves upwards.', '⌊x + ½⌋', ['round(-2.5)', -2], (x) => `Math.round(${x})`),
  one('sqrt', 'Square root.', '√x', ['sqrt(9)', 3], (x) => `Math.sqrt(${x})`, `${STAYS} Below 0 gives missing.`),
  one('exp', 'Power of e.', 'e^x', ['exp(0)', 1], (x) => `Math.exp(${x})`),
  one('log', 'Natural logarithm.', 'ln x', ['log(1)', 0], (x) => `Math.log(${x})`, BELOW_0),
  one(
    'log1p',
    'Natural logarithm of 1 + x, exact for small x: for counts and amounts with a long tail.',
    'ln(1 + x)',
    ['log1p(1)', Math.LN2],
    // Counts are often 0, and the test is cheaper than the library call. The constant 0 matters: given two computed numbers, V8
    // chooses between objects and boxes the logarithm (cause) → an object per record (effect) → 0 in place of x (guard).
    (x) => `(${x} === 0 ? 0 : Math.log1p(${x}))`,
    `${STAYS} Below -1 gives missing, -1 gives minus infinity.`,
  ),
  one('log2', 'Logarithm to the base 2.', 'log₂ x', ['log2(8)', 3], (x) => `Math.log2(${x})`, BELOW_0),
  one('log10', 'Logarithm to the base 10.', 'log₁₀ x', ['log10(1000)', 3], (x) => `Math.log10(${x})`, BELOW_0),
  one(
    'expm1',
    'Power of e minus 1, exact for small x; the inverse of log1p.',
    'e^x - 1',
    ['expm1(0)', 0],
    (x) => `Math.expm1(${x})`,
  ),
  one('sin', 'Sine of radians.', 'sin x', ['sin(0)', 0], (x) => `Math.sin(${x})`),
  one('cos', 'Cosine of radians.', 'cos x', ['cos(0)', 1], (x) => `Math.cos(${x})`),
  one('tan', 'Tangent of radians.', 'tan x', ['tan(0)', 0], (x) => `Math.tan(${x})`),
  one('tanh', 'Hyperbolic tangent: squeezes to -1 … 1.', 'tanh x', ['tanh(0)', 0], (x) => `Math.tanh(${x})`),
  one(
    'trunc',
    'x without its fraction: rounded towards 0.',
    '⌊|x|⌋ · sign x',
    ['trunc(-1.5)', -1],
    (x) => `Math.trunc(${x})`,
  ),
  two(
    'atan2(y, x)',
    'Angle of the point (x, y) from the x axis, in radians, -π to π.',
    'atan2(y, x)',
    ['atan2(0, 1)', 0],
    (y, x) => `Math.atan2(${y}, ${x})`,
  ),
  one('sign', 'Sign of x: -1, 0 or 1.', 'x / |x|, 0 for 0', ['sign(-7)', -1], (x) => `Math.sign(${x})`),
  two('pow(x, y)', 'x to the power y.', 'x^y', ['pow(2, 10)', 1024], powerCode),
  two('min(x, y)', 'The smaller of two.', 'min(x, y)', ['min(3, -1)', -1], (x, y) => `Math.min(${x}, ${y})`),
  two('max(x, y)', 'The larger of two.', 'max(x, y)', ['max(3, -1)', 3], (x, y) => `Math.max(${x}, ${y})`),
  two(
    'mod(x, n)',
    'Remainder of floorDiv: from 0 up to n, for negative x too (% gives those a negative remainder).',
    'x - n·⌊x/n⌋',
    ['mod(-1, 1440)', 1439],
    modCode,
    `${STAYS} n = 0 gives missing.`,
  ),
  two(
    'floorDiv(x, n)',
    'Whole quotient, rounded down, not towards 0.',
    '⌊x/n⌋',
    ['floorDiv(-1, 60000)', -1],
    (x, n) => `Math.floor(${x} / ${n})`,
    `${STAYS} n = 0 gives infinity, or missing for x = 0.`,
  ),
  {
    name: 'between',
    signature: 'between(x, low, high)',
    doc: 'Whether x lies within bounds, both included: 1 or 0.',
    formula: '1 if low ≤ x ≤ high, else 0',
    missing: STAYS,
    example: { expression: 'between(5, 0, 10)', gives: 1 },
    build: (call) => {
      call.arity(3);
      return call.map(
        3,
        (x, low, high) => `(${anyMissing(x, low, high)} ? NaN : ${x} >= ${low} && ${x} <= ${high} ? 1 : 0)`,
      );
    },
  },
];

/** Set up for every program: floor modulo for any operands, as exact as C's fmod. */
export const MOD_HELPER =
  'const $mod = (x, n) => { const r = x % n; return r === 0 ? 0 : r < 0 !== n < 0 ? r + n : r; };';
