import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileInputs } from '../../../src/features/inputs.ts';
import type { Finding } from '../../../src/features/types.ts';
import { field, linesOf, scopeOf, viewOf } from '../../fixtures/expressions.ts';

const scope = scopeOf(
  {
    a: field('number'),
    maybe: field('number', true),
    name: field('string', true),
    image: field('vector'),
    pair: field('vector', false, 2),
  },
  [
    viewOf('route', 0, ['share', 'n[4]']),
    viewOf('sure', 1, ['share'], 'dead-letter'),
    viewOf('gone', 2, ['share'], 'drop'),
  ],
);

function findingsOf(inputs: Record<string, string>, lets: Record<string, string> = {}): readonly Finding[] {
  const compiled = compileInputs({
    let: linesOf(lets),
    inputs: [{ name: 'x', dtype: 'float32', lines: linesOf(inputs) }],
    scope,
  });
  assert.equal(compiled.ok, !compiled.findings.some(({ severity }) => severity === 'error'));
  return compiled.findings;
}

/** One line: severity, message, and the column it points to. */
function brief(expression: string, lets?: Record<string, string>): string[] {
  return findingsOf({ x: expression }, lets).map(({ severity, column, message }) => `${severity} ${column} ${message}`);
}

const NO_DEFAULT = 'can be missing and has no ??';

test('a column of an imputed view needs ??', () => {
  assert.deepEqual(brief('route.share'), [`error 1 route.share ${NO_DEFAULT}`]);
  assert.deepEqual(brief('1 + log1p(route.share) * 2'), [`error 11 route.share ${NO_DEFAULT}`]);
  const [finding] = findingsOf({ x: 'route.share' });
  assert.equal(finding.remedy, 'write route.share ?? DEFAULT');
  for (const fine of [
    'route.share ?? 0.2',
    '(route.share + 1) ?? 0',
    'impute(route.share, 0.2)',
    'missing(route.share)',
    'missing(route)',
    'sum(route.n ?? 0)',
    'log1p(window(route.n, event.a, -1, 1) ?? 0)',
    'sure.share',
    'gone.share',
  ]) {
    assert.deepEqual(brief(fine), [], fine);
  }
});

test('every use without ?? is reported, once for each place', () => {
  assert.deepEqual(brief('route.share + route.share'), [
    `error 1 route.share ${NO_DEFAULT}`,
    `error 15 route.share ${NO_DEFAULT}`,
  ]);
  assert.deepEqual(brief('late + late * 2', { late: 'route.share' }), [`error 1 route.share ${NO_DEFAULT}`]);
  const found = findingsOf({ one: 'late', two: 'late' }, { unused: '1', late: '2 * route.share' });
  assert.deepEqual(
    found.map(({ line, column, name }) => [line, column, name]),
    [[2, 5, 'late']],
  );
});

test('?? covers only its left side, and its default may be missing itself', () => {
  assert.deepEqual(brief('route.share ?? sum(route.n)'), [`error 20 route.n ${NO_DEFAULT}`]);
  assert.deepEqual(brief('event.a > 0 ? route.share : 1'), [`error 15 route.share ${NO_DEFAULT}`]);
  assert.deepEqual(brief('(event.a > 0 ? route.share : 1) ?? 3'), []);
});

test('a nullable event field without ?? is a warning: such records are dead-lettered', () => {
  assert.deepEqual(
    brief('event.maybe * 2').map((text) => text.slice(0, 40)),
    ['warning 1 event.maybe can be null and ha'],
  );
  assert.match(brief('event.name == "ATL"')[0], /^warning 1 event\.name/);
  assert.match(brief('atLeast(event.a, 0)')[0], /^warning 1 atLeast/);
  assert.match(brief('at([1, 2], event.a)')[0], /^warning 1 at.*0 to 1/);
  assert.deepEqual(brief('event.maybe ?? 0'), []);
  assert.deepEqual(brief('(event.name == "ATL") ?? 0'), []);
  assert.deepEqual(brief('at([1, 2], 1) + event.pair[0]'), []);
  assert.match(brief('at(route.n, event.a)').join('\n'), /error 4 route\.n.*\nwarning 1 at/);
});

/** Expression, and its only error. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ['event.nothing', /there is no event\.nothing.*known are.*event\.a/],
  ['event.constructor', /there is no event\.constructor/],
  ['route.nothing ?? 0', /there is no route\.nothing.*route\.share/],
  ['route.sare ?? 0', /\| did you mean route\.share\? known are/],
  ['route.mean_delay', /or add mean_delay to the columns of view route in the topology/],
  ['at(route.share ?? 0, 0)', /argument 1 is a number/],
  ['route.share[3]', /route\.share has no width \| write "share\[WIDTH\]".*columns of view route/],
  ['event.nam == "B"', /\| did you mean event\.name\?/],
  ['nowhere', /there is no nowhere \| known are/],
  ['constructor', /there is no constructor/],
  ['process', /there is no process/],
  ['eval("1")', /there is no function eval.*reference/],
  ['log1(event.a)', /there is no function log1 \| did you mean log1p\?/],
  ['toString(1)', /there is no function toString/],
  ['event', /there is no event/],
  ['event.name', /takes numbers, not text/],
  ['"text"', /takes numbers, not text/],
  ['event.name + 1', /argument 1 is text/],
  ['1 + "2"', /argument 2 is text/],
  ['event.name == 1', /compares numbers with numbers/],
  ['event.name < "B"', /argument 1 is text/],
  ['route', /takes numbers, not the view route/],
  ['route + 1', /argument 1 is the view route/],
  ['missing("x")', /takes a view, a column or a value/],
  ['band(event.a, "low", 1, "high")', /takes numbers, not a label/],
  ['event.image', /unknown width.*event\.image\[WIDTH\]/],
  ['event.image[0]', /unknown width/],
  ['event.image[1.5]', /unknown width/],
  ['event.pair[3]', /whole number from 0 to 1, not 3/],
  ['event.a[0]', /argument 1 is a number, not a vector/],
  ['event.pair + route.n ?? 0', /vector of 4 cannot be combined with one of 2/],
  ['[1, event.pair]', /element of a vector is a vector of 2/],
  ['[]', /no elements/],
  ['log1p()', /takes 1 argument, not 0/],
  ['clip(1, 2)', /takes 3 arguments, not 2/],
  ['cyclic(event.a, event.a)', /must be a constant/],
  ['cyclic(event.a, 0)', /above 0/],
  ['cyclic(event.a, 24, 1000)', /from 1 to 64/],
  ['oneHot(event.a, 2.5)', /whole number/],
  ['oneHot(event.a, 1e9)', /from 1 to 65536/],
  ['oneHot(event.pair, 2)', /not one number/],
  ['window(event.pair, 0, 0, 2)', /from 0 to 1/],
  ['window(event.pair, 0, 1, 0)', /from 1 to 2/],
  ['standardize(event.a, 0, 0)', /above 0/],
  ['minMax(event.a, 1, 1)', /above low/],
  ['prediction.x', /there is no prediction\.x/],
  ['output("x")', /there is no function output/],
];

for (const [expression, message] of WRONG) {
  test(`finds fault with ${expression}`, () => {
    const errors = findingsOf({ x: expression }).filter(({ severity }) => severity === 'error');
    assert.equal(errors.length, 1);
    assert.match(`${errors[0].message} | ${errors[0].remedy}`, message);
  });
}

test('a broken let is reported where it is, and not again where it is used', () => {
  const found = findingsOf({ one: 'p + 1', two: 'q', three: 'nowhere' }, { p: 'event.nothing', q: 'p * 2' });
  assert.deepEqual(
    found.map(({ name }) => name),
    ['p', 'three'],
  );
});

test('a name means one thing', () => {
  assert.match(brief('1', { route: '1' })[0], /route is taken/);
  assert.match(brief('1', { event: '1' })[0], /event is taken/);
  assert.match(brief('1', { 'a-b': '1' })[0], /"a-b" is not a valid name/);
  assert.match(brief('1', { null: '1' })[0], /null is a reserved word in expressions/);
  const twice = compileInputs({
    let: [...linesOf({ p: '1' }), ...linesOf({ p: '2' })],
    inputs: [{ name: 'x', dtype: 'float32', lines: linesOf({ x: 'p' }) }],
    scope,
  });
  assert.match(twice.findings[0].message, /p is taken/);
  assert.match(brief('later', { p: 'later', later: '1' })[0], /there is no later/);
});

test('columns are counted from the start of the line in its file', () => {
  const compiled = compileInputs({
    let: [],
    inputs: [{ name: 'x', dtype: 'float32', lines: [{ name: 'x', expression: '1 + nowhere', line: 12, column: 30 }] }],
    scope,
  });
  const [{ line, column }] = compiled.findings;
  assert.deepEqual([line, column], [12, 34]);
});

test('a row has at most a million values', () => {
  const lines = Object.fromEntries(Array.from({ length: 17 }, (_, k) => [`x${k}`, 'oneHot(event.a, 65536)']));
  assert.match(findingsOf(lines)[0].message, /wider than/);
});
