import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileInputs } from '../../../src/features/inputs.ts';
import { evaluate, field, linesOf, scopeOf, valuesOf } from '../../fixtures/expressions.ts';

/** Messages for arguments that do not fit, and values that are easily got wrong. */
const scope = scopeOf({ a: field('number'), name: field('string', true), v: field('vector', false, 3) });

function first(expression: string): string {
  const line = { name: 'x', expression, line: 7, column: 5 };
  const compiled = compileInputs({ let: [], inputs: [{ name: 'f', dtype: 'float32', lines: [line] }], scope });
  const [finding] = compiled.findings;
  assert.equal(finding?.line, 7, `${expression}: no finding`);
  return `${finding.column - 4} ${finding.message} | ${finding.remedy}`;
}

const WRONG: readonly (readonly [string, RegExp])[] = [
  ['ordinal(event.name, ["a", "a"])', /^21 ordinal: "a" is in the list twice \| write ordinal\(/],
  ['ordinal(event.name, [1, 2])', /^9 ordinal: argument 1 is text, not a number/],
  ['ordinal(event.a, ["a"])', /^9 ordinal: argument 1 is a number, and the list holds texts/],
  ['ordinal(event.name, "a")', /^21 ordinal: argument 2 is text, not a vector/],
  ['ordinal(event.a, [1, event.a])', /argument 2 must be a list of constants/],
  ['ordinal(event.name, ["a", 1])', /^27 the list mixes texts with other values \| write only texts/],
  ['table(event.a, [1, 2], [3])', /^24 table: 1 values for 2 keys: both lists must be equally long/],
  ['table(event.a, [1], [3], event.a)', /argument 4 must be a constant/],
  ['oneHot(event.v, [1, 2])', /takes one value, not a vector: see multiHot/],
  ['oneHot(event.name, 3)', /argument 1 is text, not a number/],
  ['multiHot(event.name, ["a"], ", ")', /the separator is one ASCII character/],
  ['multiHot(event.name, [1], ",")', /argument 2 is a vector of 1, not a list of texts/],
  ['multiHot(event.v, 0)', /whole number from 1 to 65536, not 0/],
  ['hashBucket(event.name, 0)', /argument 2 must be a whole number from 1/],
  ['hashBucket(event.v, 10)', /argument 1 is a vector of 3, not one number/],
  ['hashBucket(10)', /takes 2 or more arguments, not 1/],
  ['cross(oneHot(event.a, 60000), oneHot(event.a, 2))', /60000 × 2 columns are more than 65536/],
  ['polynomial(event.v, 0)', /argument 2 must be a whole number from 1 to 16, not 0/],
  ['polynomial(oneHot(event.a, 400), 3)', /degree 3 of 400 elements makes more than 65536 columns/],
  ['bins(event.a, [1, 1])', /^15 bins: 1 is not above 1: the list must rise/],
  ['interpolate(event.a, [1, 2], [3])', /argument 3 has fewer than 2 elements/],
  ['quantile(event.a, [2, 1])', /the quantiles must not fall/],
  ['robust(event.a, 1, 0)', /the range must be above 0/],
  ['cast(event.a, "int31")', /"int31" is not a type: write int8, int16/],
  ['cast(event.a, "uint64")', /"uint64" is not a type/],
  ['inZone(event.a, "Europe/Berlim")', /there is no time zone "Europe\/Berlim"/],
  ['inZone(event.a, event.name)', /argument 2 is text, not a string in quotes/],
  ['contains(event.a, "x")', /argument 1 is a number, not text/],
  ['contains(event.name, "")', /the part is empty/],
  ['number(event.a)', /argument 1 is a number, not text/],
  ['trim(event.name)', /an input takes numbers, not text/],
  ['event.name ?? 1', /argument 2 is a number, not text/],
  ['["a", "b"]', /an input takes numbers, not a list of texts/],
  ['select(1, 2)', /takes 3 or more arguments/],
  ['select(1, 2, 3, 4)', /needs a last value, for when no test is true/],
  ['take(event.v, [3])', /3 is not an index of a vector of 3/],
  ['topK(event.v, 4)', /argument 2 must be a whole number from 1 to 3, not 4/],
  ['dot(event.v, [1, 2])', /a vector of 2 cannot be combined with one of 3/],
  ['haversine(1, 2, 3)', /takes 4 arguments, not 3 \| write haversine\(lat1, lon1, lat2, lon2\)/],
];

for (const [expression, wanted] of WRONG) {
  test(`finds fault with ${expression}`, () => assert.match(first(expression), wanted));
}

const ABSENT: readonly (readonly [string, RegExp])[] = [
  ['ordinal(event.a, [1, 2])', /is missing if the value is not in the list \| write ordinal\(…\) \?\? DEFAULT/],
  ['number(event.name ?? "1")', /is missing if the text is not a number/],
  ['within(event.a, 0, 1)', /is missing if the value is outside the bounds/],
  ['choose(event.a, 1, 2)', /is missing if the index is not one of 0 to 1/],
  ['cast(event.a, "int8")', /is missing if the value is out of the range of int8/],
  ['oneHot(event.name, ["a"])', /event.name can be null/],
];

for (const [expression, wanted] of ABSENT) {
  test(`warns of what can be missing in ${expression}`, () => {
    assert.match(first(expression), wanted);
    const compiled = compileInputs({
      let: [],
      inputs: [{ name: 'f', dtype: 'float32', lines: linesOf({ x: `${expression} ?? 0` }) }],
      scope,
    });
    assert.deepEqual(compiled.findings, []);
  });
}

test('each list has a name of its own, and each of its members is found', () => {
  const carriers = Array.from({ length: 3000 }, (_, k) => `carrier-${k * k}`);
  const quoted = carriers.map((carrier) => JSON.stringify(carrier));
  const events = [...carriers, 'carrier-', ''].map((name) => ({ name }));
  const { rows } = evaluate(
    { place: 'ordinal(event.name, known, -1)', one: 'sum(oneHot(event.name, known))' },
    { let: { known: `[${quoted.join(', ')}]` }, scope: scopeOf({ name: field('string') }), events },
  );
  assert.deepEqual(
    rows,
    events.map((_, k) => (k < 3000 ? [k, 1] : [-1, 0])),
  );
});

test('clock changes are found to the second', () => {
  // New York, 2001: forward on 1 April 07:00 UTC, back on 28 October 06:00 UTC.
  const offset = (at: string) => {
    const ms = Date.parse(at);
    return (valuesOf(`inZone(${ms}, "America/New_York") - ${ms}`)[0] ?? 0) / 3_600_000;
  };
  assert.equal(offset('2001-04-01T06:59:59Z'), -5);
  assert.equal(offset('2001-04-01T07:00:00Z'), -4);
  assert.equal(offset('2001-10-28T05:59:59Z'), -4);
  assert.equal(offset('2001-10-28T06:00:00Z'), -5);
  assert.equal(offset('2400-07-01T00:00:00Z'), -5);
});

test('weeks belong to the year of their Thursday', () => {
  const week = (day: string) => valuesOf(`weekOfYear(${Date.parse(`${day}T12:00:00Z`)})`)[0];
  assert.equal(week('2021-01-03'), 53);
  assert.equal(week('2021-01-04'), 1);
  assert.equal(week('2024-12-30'), 1);
  assert.equal(week('2020-12-31'), 53);
});

test('number(text) reads what a person would write as a number; anything else is missing', () => {
  const events = ['1', '+1.5', '-.5', '2.', '1e3', '1E-3', '123456789012345678', '0.000', '00012.50'].map((name) => ({
    name,
  }));
  const given = { scope: scopeOf({ name: field('string') }), events };
  const { rows } = evaluate({ x: 'number(event.name) ?? -1' }, given);
  assert.deepEqual(rows.flat(), [1, 1.5, -0.5, 2, 1000, 0.001, 123456789012345000, 0, 12.5]);
  const odd = ['', '.', '-', '1,5', '0x10', '1e', '1 ', ' 1', 'NaN', 'Infinity', '--1', '1.2.3', '1e400'];
  const wrong = evaluate(
    { x: 'finite(number(event.name)) ?? -1' },
    { ...given, events: odd.map((name) => ({ name })) },
  );
  assert.deepEqual(
    wrong.rows.flat(),
    odd.map(() => -1),
  );
});

test('infinity is valid for functions that are constant after their last point, and for powers of 1', () => {
  const events = [{ a: Number.POSITIVE_INFINITY }, { a: Number.NEGATIVE_INFINITY }, { a: 4 }, { a: 1e308 }];
  const { rows } = evaluate(
    { level: 'interpolate(event.a, [1, 2, 4], [10, 20, 40])', power: 'pow(-1, event.a)' },
    { scope: scopeOf({ a: field('number') }), events },
  );
  assert.deepEqual(rows, [
    [40, 1],
    [10, 1],
    [40, 1],
    [40, 1],
  ]);
});

test('a time in another unit is refused by functions that take milliseconds', () => {
  const fields = {
    micros: { ...field('number'), logicalType: 'timestamp-micros' },
    day: { ...field('number'), logicalType: 'date' },
    ms: { ...field('number'), logicalType: 'timestamp-millis' },
  };
  const found = (expression: string): string => {
    const lines = linesOf({ x: expression });
    const compiled = compileInputs({
      let: [],
      inputs: [{ name: 'f', dtype: 'float32', lines }],
      scope: scopeOf(fields),
    });
    return compiled.findings.map(({ message, remedy }) => `${message} | ${remedy}`).join();
  };
  assert.equal(
    found('hour(event.micros)'),
    'hour: event.micros is timestamp-micros, microseconds, and hour takes milliseconds | write hour(event.micros / 1000)',
  );
  assert.match(found('hour(inZone(event.micros, "Asia/Tokyo"))'), /write inZone\(event.micros \/ 1000, …\)/);
  assert.match(found('month(event.day)'), /days, and month takes milliseconds \| write month\(event.day \* 86400000\)/);
  for (const right of ['hour(event.ms)', 'hour(event.micros / 1000)', 'month(event.day * 86400000)'])
    assert.equal(found(right), '');
});
