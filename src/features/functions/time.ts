import { ExpressionError } from '../syntax.ts';
import { type Call, elementwiseSpec, type FunctionSpec, pointwise } from './spec.ts';
import { zoneShifts } from './zones.ts';

/**
 * Parts of a wall clock time, given as milliseconds since 1970-01-01T00:00 as if it were UTC.
 * Everything rounds down, because times before 1970 are negative.
 */
const DAY_MS = 86_400_000;

function part(name: string, doc: string, formula: string, gives: number, code: (ms: string) => string): FunctionSpec {
  const signature = `${name}(ms)`;
  // 1969-07-20T20:17:40, a Sunday.
  const example = { expression: `${name}(-14182940000)`, gives };
  const spec = elementwiseSpec({ name, signature, doc, formula, missing: 'Missing stays missing.', example }, 1, code);
  const build: FunctionSpec['build'] = (call) => {
    inMilliseconds(call);
    return spec.build(call);
  };
  return { ...spec, build };
}

/** By logical type: the unit that a field counts in place of milliseconds, and the conversion. */
const OTHER_UNITS: Readonly<Record<string, readonly [string, string]>> = {
  date: ['days', '* 86400000'],
  'time-micros': ['microseconds', '/ 1000'],
  'timestamp-micros': ['microseconds', '/ 1000'],
  'local-timestamp-micros': ['microseconds', '/ 1000'],
  'timestamp-nanos': ['nanoseconds', '/ 1000000'],
  'local-timestamp-nanos': ['nanoseconds', '/ 1000000'],
};

/** Only the type tells a time in another unit from one in milliseconds: its number is a valid time, too. */
function inMilliseconds(call: Call): void {
  const [value] = call.args;
  if (value?.kind !== 'number' || value.counts === undefined) return;
  const { field, logicalType } = value.counts;
  const unit = OTHER_UNITS[logicalType];
  if (unit === undefined) return;
  const { name } = call.spec;
  const message = `${name}: ${field} is ${logicalType}, ${unit[0]}, and ${name} takes milliseconds`;
  const rest = name === 'inZone' ? ', …' : '';
  throw new ExpressionError(call.placeOf(0), message, `write ${name}(${field} ${unit[1]}${rest})`);
}

const day = (ms: string): string => `Math.floor(${ms} / ${DAY_MS})`;
/** x modulo n, rounding down; x is whole, |x| < 2^52. */
const rest = (x: string, n: number): string => `(${x} - ${n} * Math.floor(${x} / ${n}))`;

export const TIME: readonly FunctionSpec[] = [
  part('dayOfWeek', 'Day of the week, Monday 0 to Sunday 6.', '(⌊ms / 86400000⌋ + 3) mod 7', 6, (ms) =>
    rest(`(${day(ms)} + 3)`, 7),
  ),
  part('hour', 'Hour of the day, 0 to 23.', '⌊ms / 3600000⌋ mod 24', 20, (ms) =>
    rest(`Math.floor(${ms} / 3600000)`, 24),
  ),
  part('minuteOfDay', 'Minute of the day, 0 to 1439.', '⌊ms / 60000⌋ mod 1440', 1217, (ms) =>
    rest(`Math.floor(${ms} / 60000)`, 1440),
  ),
  part('minute', 'Minute of the hour, 0 to 59.', '⌊ms / 60000⌋ mod 60', 17, (ms) =>
    rest(`Math.floor(${ms} / 60000)`, 60),
  ),
  part('second', 'Second of the minute, 0 to 59.', '⌊ms / 1000⌋ mod 60', 40, (ms) =>
    rest(`Math.floor(${ms} / 1000)`, 60),
  ),
  part(
    'isWeekend',
    'Whether the day is Saturday or Sunday: 1 or 0.',
    '1 if dayOfWeek ≥ 5, else 0',
    1,
    (ms) => `Math.floor((${rest(`(${day(ms)} + 3)`, 7)}) / 5)`,
  ),
  part('dayOfMonth', 'Day of the month, 1 to 31.', 'proleptic Gregorian calendar', 20, (ms) => `$civil(${day(ms)}, 0)`),
  part('month', 'Month, 1 to 12.', 'proleptic Gregorian calendar', 7, (ms) => `$civil(${day(ms)}, 1)`),
  part('year', 'Year.', 'proleptic Gregorian calendar', 1969, (ms) => `$civil(${day(ms)}, 2)`),
  part('quarter', 'Quarter of the year, 1 to 4.', '⌈month / 3⌉', 3, (ms) => `Math.ceil($civil(${day(ms)}, 1) / 3)`),
  part('dayOfYear', 'Day of the year, 1 to 366.', 'proleptic Gregorian calendar', 201, (ms) => `$civil(${day(ms)}, 3)`),
  part(
    'daysInMonth',
    'Number of days in the month, 28 to 31.',
    'proleptic Gregorian calendar',
    31,
    (ms) => `$civil(${day(ms)}, 4)`,
  ),
  part(
    'weekOfYear',
    'Week of the year by ISO 8601, 1 to 53: weeks begin on Monday, and belong to the year in which their Thursday lies.',
    '⌈dayOfYear of the week’s Thursday / 7⌉',
    29,
    (ms) => `Math.ceil($civil(${day(ms)} - ${rest(`(${day(ms)} + 3)`, 7)} + 3, 3) / 7)`,
  ),
  {
    name: 'inZone',
    signature: 'inZone(ms, "Europe/Berlin")',
    doc: 'A moment, milliseconds since 1970 in UTC, as wall clock time of a time zone, for hour, dayOfWeek and the others. Zones are those of the IANA database in the installed Node; clock changes are known from 1900 to 2100, and outside those years the nearest offset applies.',
    formula: 'ms + offset of the zone at ms',
    missing: 'Missing stays missing.',
    example: { expression: 'hour(inZone(993924000000, "America/New_York"))', gives: 14 },
    more: [{ expression: 'hour(inZone(993924000000, "Asia/Kolkata"))', gives: 23 }],
    build: (call) => {
      call.arity(2);
      inMilliseconds(call);
      const zone = call.text(1);
      const shifts = zoneShifts(zone);
      if (shifts === undefined) return call.fail(`there is no time zone ${JSON.stringify(zone)}`, 1);
      let table: readonly [string, string] | undefined;
      return pointwise(call, (ms, { program }) => {
        table ??= [
          program.constant(Float64Array.from(shifts, ({ fromMs }) => fromMs)),
          program.constant(Float64Array.from(shifts, ({ offsetMs }) => offsetMs)),
        ];
        return `(${ms} + ${table[1]}[Math.max(0, $bins(${ms}, ${table[0]}) - 1)])`;
      });
    },
  },
];

/**
 * Set up only for programs that use it: day (part 0), month (1), year (2), day of the year (3) or days of the month (4) of a day
 * number counted from 1970-01-01.
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
  '  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);',
  '  if (part === 2) return year;',
  '  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 1 : 0;',
  '  if (part === 3) return month <= 2 ? dayOfYear - 305 : dayOfYear + 60 + leap;',
  '  return month === 2 ? 28 + leap : 31 - (((month - 1) % 7) % 2);',
  '};',
].join('\n');
