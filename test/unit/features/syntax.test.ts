import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Expr,
  ExpressionError,
  MAX_EXPRESSION_CHARS,
  MAX_EXPRESSION_DEPTH,
  parseExpression,
} from '../../../src/features/syntax.ts';

/** The tree as text with every operation in parentheses. */
function shape(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return String(expr.value);
    case 'text':
      return JSON.stringify(expr.value);
    case 'name':
      return expr.name;
    case 'member':
      return `${expr.object}.${expr.name}`;
    case 'index':
      return `${shape(expr.of)}[${shape(expr.index)}]`;
    case 'list':
      return `[${expr.items.map(shape).join(' ')}]`;
    case 'call':
      return `${expr.name}<${expr.args.map(shape).join(' ')}>`;
    case 'unary':
      return `(${expr.op}${shape(expr.of)})`;
    case 'binary':
      return `(${shape(expr.left)} ${expr.op} ${shape(expr.right)})`;
    case 'choose':
      return `(${shape(expr.test)} ? ${shape(expr.yes)} : ${shape(expr.no)})`;
  }
}

const READS: readonly (readonly [string, string])[] = [
  ['route.late_share ?? 0.2', '(route.late_share ?? 0.2)'],
  ['a ?? b + 1', '(a ?? (b + 1))'],
  ['a ?? b < 1', '(a ?? (b < 1))'],
  ['a ?? b ?? c', '((a ?? b) ?? c)'],
  ['(a || b) ?? c', '((a || b) ?? c)'],
  ['a ?? (b && c)', '(a ?? (b && c))'],
  ['(route.mean_delay ?? 6.5) / 30', '((route.mean_delay ?? 6.5) / 30)'],
  ['log1p(atLeast(event.distance, 0) ?? 569)', 'log1p<(atLeast<event.distance 0> ?? 569)>'],
  ['a || b && !c', '(a || (b && (!c)))'],
  ['a - b - c', '((a - b) - c)'],
  ['-a * b', '((-a) * b)'],
  ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
  ['a ?? b ? c : d', '((a ?? b) ? c : d)'],
  ['event.image[784][0]', 'event.image[784][0]'],
  ['window(slots.n, slot, -4, 1) ?? 0', '(window<slots.n slot (-4) 1> ?? 0)'],
  ["band(p, 'a\\'b', .5, \"c\")", 'band<p "a\'b" 0.5 "c">'],
  ['[1, x, 3]', '[1 x 3]'],
  ['true && false', '(1 && 0)'],
];

for (const [text, wanted] of READS) {
  test(`reads ${text}`, () => assert.equal(shape(parseExpression(text)), wanted));
}

/** Text, the column of the finding, and a part of its message or remedy. */
const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ['', 0, /empty/],
  ['a ||', 4, /Expected expression/],
  ['a ?? b || c', 0, /mixed.*parentheses/],
  ['a && b ?? c', 0, /mixed/],
  ['f(a b)', 4, /expected , or \)/],
  ['f(a,)', 4, /expected a value/],
  ['a; b', 1, /unexpected ";"/],
  ['(a, b)', 2, /unexpected ","/],
  ['a = 1', 2, /unexpected "="/],
  ['a => a', 2, /unexpected "="/],
  ['1 + this', 4, /this/],
  ['this.constructor', 0, /only follow a name|this/],
  ['a.b.c', 0, /only follow a name/],
  [
    '1 + event.depots[0].queue',
    4,
    /\.queue can only .*: only numbers can be read from a list .* as fields of a record/,
  ],
  ['event.depot?.queue', 0, /\?\./],
  ['route.agg.share', 0, /\.share can only follow a name write event\.FIELD or VIEW\.COLUMN/],
  ['x.y(1)', 0, /only named functions/],
  ['f(1)(2)', 0, /only named functions/],
  ['a?.b', 0, /\?\./],
  ['`x`', 0, /unexpected/],
  ['new Date()', 4, /unexpected/],
  ['1 + null', 4, /null.*missing/],
  ['a === b', 0, /===.*write ==/],
  ['a ** b', 0, /pow/],
  ['a | b', 0, /\|/],
  ['~a', 0, /~/],
  ['1e999', 0, /finite/],
  ['"open', 5, /quote/],
  ['1 + )', 4, /Expected expression/],
];

for (const [text, at, message] of REFUSED) {
  test(`refuses ${text || 'nothing'}`, () => {
    assert.throws(
      () => parseExpression(text),
      (thrown) => {
        assert.ok(thrown instanceof ExpressionError);
        assert.match(`${thrown.message} ${thrown.remedy}`, message);
        assert.notEqual(thrown.remedy, '');
        assert.equal(thrown.at, at);
        return true;
      },
    );
  });
}

test('length and depth are limited, and no text overflows the stack', () => {
  const most = 'a'.repeat(MAX_EXPRESSION_CHARS);
  assert.equal(parseExpression(most).kind, 'name');
  assert.throws(() => parseExpression(`${most}a`), /characters/);
  const nested = (depth: number): string => `${'f('.repeat(depth - 1)}a${')'.repeat(depth - 1)}`;
  assert.equal(parseExpression(nested(MAX_EXPRESSION_DEPTH)).kind, 'call');
  assert.throws(() => parseExpression(nested(MAX_EXPRESSION_DEPTH + 1)), /nested deeper/);
  for (const open of ['(', '-', 'f(', '[', 'a?', 'a[', 'a?b:']) {
    const text = open.repeat(MAX_EXPRESSION_CHARS / open.length);
    assert.throws(() => parseExpression(text), /nested deeper/, open);
  }
  const chain = (terms: number): string => `1${'+1'.repeat(terms - 1)}`;
  assert.equal(parseExpression(chain(MAX_EXPRESSION_DEPTH)).kind, 'binary');
  assert.throws(() => parseExpression(chain(MAX_EXPRESSION_DEPTH + 1)), /nested deeper/);
});

for (const [text, remedy] of [
  ['a > 1 and b', 'write && for and, || for or, ! for not'],
  ['a OR b', 'write && for and, || for or, ! for not'],
  ['1 if a else 2', 'write test ? x : y'],
  ['a = 1', 'write == to compare; a value gets a name under let'],
  ['not a', 'write !x for not x'],
] as const) {
  test(`says what to write for ${text}`, () => {
    assert.throws(() => parseExpression(text), { remedy });
  });
}
