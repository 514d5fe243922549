import { elementwiseSpec, type FunctionSpec } from './spec.ts';

/**
 * Parts of a wall clock reading given as milliseconds since 1970-01-01T00:00, read as if UTC.
 * Everything rounds down, because readings before 1970 are negative.
 */
const DAY_MS = 86_400_000;

function part(name: string, doc: string, formula: string, gives: number, code: (ms: string) => string): FunctionSpec {
  const signature = `${name}(ms)`;
  // 1969-07-20T20:17:40, a Sunday.
  const example = { expression: `${name}(-14182940000)`, gives };
  return elementwiseSpec({ name, signature, doc, formula, missing: 'Missing stays missing.', example }, 1, code);
}

const day = (ms: string): string => `Math.floor(${ms} / ${DAY_MS})`;
/** Rest of x by n as floor modulo; x is whole, |x| < 2^52. */
const rest = (x: string, n: number): string => `(${x} - ${n} * Math.floor(${x} / ${n}))`;

export const TIME: readonly FunctionSpec[] = [
  part('dayOfWeek', 'Monday 0 to Sunday 6.', '(⌊ms / 86400000⌋ + 3) mod 7', 6, (ms) => rest(`(${day(ms)} + 3)`, 7)),
  part('hour', 'Hour of the day, 0 to 23.', '⌊ms / 3600000⌋ mod 24', 20, (ms) =>
    rest(`Math.floor(${ms} / 3600000)`, 24),
  ),
  part('minuteOfDay', 'Minute of the day, 0 to 1439.', '⌊ms / 60000⌋ mod 1440', 1217, (ms) =>
    rest(`Math.floor(${ms} / 60000)`, 1440),
  ),
  part('dayOfMonth', 'Day of the month, 1 to 31.', 'proleptic Gregorian calendar', 20, (ms) => `$civil(${day(ms)}, 0)`),
  part('month', 'Month, 1 to 12.', 'proleptic Gregorian calendar', 7, (ms) => `$civil(${day(ms)}, 1)`),
  part('year', 'Year.', 'proleptic Gregorian calendar', 1969, (ms) => `$civil(${day(ms)}, 2)`),
];

/**
 * Set up for every program: day (part 0), month (1) or year (2) of a day number counted from 1970-01-01.
 * Years are counted from March, so that the leap day comes last; an era is 400 years, 146,097 days. NaN passes through.
 */
export const CIVIL_HELPER = [
  'const $civil = (day, part) => {',
  '  const shifted = day + 719468;',
  '  const era = Math.floor(shifted / 146097);',
  '  const dayOfEra = shifted - era * 146097;',
  '  const yearOfEra = Math.floor(',
  '    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,',
  '  );',
  '  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));',
  '  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);',
  '  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;',
  '  if (part === 0) return dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;',
  '  if (part === 1) return month;',
  '  return yearOfEra + era * 400 + (month <= 2 ? 1 : 0);',
  '};',
].join('\n');
