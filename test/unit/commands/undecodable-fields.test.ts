import assert from 'node:assert/strict';
import { test } from 'node:test';
import { misfitOf } from '../../../src/commands/undecodable-fields.ts';

const SCHEMA = {
  type: 'record',
  name: 'Payment',
  fields: [
    { name: 'amount', type: 'double' },
    { name: 'coupon', type: ['null', 'string'], default: null },
    {
      name: 'customer',
      type: [
        'null',
        {
          type: 'record',
          name: 'Customer',
          fields: [
            { name: 'age', type: 'int' },
            { name: 'zip', type: ['null', 'string'] },
          ],
        },
      ],
    },
  ],
};

const CASES: readonly (readonly [json: string, field: string, said: RegExp | undefined])[] = [
  ['{"amount":"x"}', 'amount', /^"x" is no value for the field "amount", double$/],
  ['{"amount":null}', 'amount', /^null is no value for the field "amount"/],
  ['{"amout":1}', 'amount', /^the value has no "amount", and the schema no default for it$/],
  ['{"amount":1}', 'amount', undefined],
  ['{"amount":1}', 'coupon', undefined],
  ['{"coupon":7}', 'coupon', /^7 is no value for the field "coupon"/],
  ['{"amount":1}', 'other', undefined],
  ['{"customer":{"age":"x"}}', 'customer.age', /^"x" is no value for the field "customer\.age", int$/],
  ['{"customer":{}}', 'customer.age', /^the value has no "customer\.age", and the schema no default for it$/],
  ['{"customer":7}', 'customer.age', /^7 is no value for the field "customer", null \| record Customer$/],
  ['{"customer":null}', 'customer.age', undefined],
  ['{"customer":{"age":3}}', 'customer.zip', undefined],
  ['{}', 'customer.age', undefined],
  ['{"customer":{"age":3}}', 'customer.agee', undefined],
  ['[1]', 'amount', undefined],
  ['{"amount"', 'amount', undefined],
];

for (const [json, field, said] of CASES) {
  test(`${field} of ${json}`, () => {
    const found = misfitOf(json, field, SCHEMA);
    if (said === undefined) assert.equal(found, undefined);
    else assert.match(String(found), said);
  });
}

test('a long value is cut', () => {
  const found = misfitOf(JSON.stringify({ amount: 'x'.repeat(10_000) }), 'amount', SCHEMA);
  assert.ok(String(found).length <= 301);
});
