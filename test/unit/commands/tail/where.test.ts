import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseWhere } from '../../../../src/commands/tail/where.ts';
import type { LogRecord } from '../../../../src/ports/topic-log.ts';

const record = (headers: Readonly<Record<string, string | null>> = {}): LogRecord => ({
  ...{ partition: 0, offset: 0, timestampMs: 0, key: null, value: null },
  headers: Object.entries(headers).map(([name, value]) => ({
    name,
    value: value === null ? null : Buffer.from(value),
  })),
});

const VALUE = {
  ...{ id: 7, origin: 'JFK', empty: '', big: '9007199254740993', none: null, ok: true, list: [4, 5] },
  inner: { x: 1.5, 'a=b': 1 },
};

for (const [text, holds] of [
  ['id=7', true],
  ['id=7.0', true],
  ['id=', false],
  ['id!=8', true],
  ['origin=JFK', true],
  ['origin=jfk', false],
  ['origin~F', true],
  ['origin~', true],
  ['empty=', true],
  ['empty>=0', false],
  ['big=9007199254740993', true],
  ['big>9', true],
  ['big>9007199254740992', true],
  ['big<=9007199254740992', false],
  ['none=null', true],
  ['nowhere=null', true],
  ['nowhere!=x', true],
  ['none<5', false],
  ['nowhere<5', false],
  ['ok=true', true],
  ['inner.x>=1.5', true],
  ['inner.x<1.5', false],
  ['inner={"x":1.5,"a=b":1}', true],
  ['list.1=5', true],
  ['list=[4,5]', true],
  ['toString=null', true],
  ['header:a.b=c=d', true],
  ['header:a.b!=c', true],
  ['header:gone=null', true],
  ['header:nil=null', true],
  ['header:n>9', true],
] as const) {
  test(`${text} ${holds ? 'holds' : 'does not hold'}`, () => {
    assert.equal(parseWhere(text).holds(record({ 'a.b': 'c=d', nil: null, n: '10' }), VALUE), holds);
  });
}

test('a value that is no object has no fields', () => {
  for (const value of [null, undefined, 'text', 3]) {
    assert.equal(parseWhere('id=7').holds(record(), value), false);
    assert.equal(parseWhere('id=7').isIn(record(), value), false);
  }
});

for (const text of ['', 'id', '=x', 'header:=x', 'id>', 'id<x', 'a..b=1']) {
  test(`"${text}" is refused with the forms that there are`, () => {
    assert.throws(() => parseWhere(text), {
      code: 'usage-invalid',
      message: /^--where: ".*" .*FIELD=VALUE.*header:NAME/,
    });
  });
}
