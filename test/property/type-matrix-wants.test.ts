import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../src/codecs/avro/decoder.ts';
import { compileJsonDecoder } from '../../src/codecs/json/decoder.ts';
import type { ColumnWant, ValueDecoder } from '../../src/codecs/types.ts';
import { SluiceError } from '../../src/kernel/errors.ts';
import { seeded } from '../fixtures/random.ts';
import { ABSENCES, EVENT_TYPES, fieldOf } from '../fixtures/type-matrix/types.ts';
import { jsonOf, meaningOf, randomValue } from '../fixtures/type-matrix/values.ts';
import { branchName } from '../unit/codecs/random-avro.ts';
import { decodeOne, oracle, want } from '../unit/codecs/support.ts';

/** A field wanted in several ways at once gives the same as wanted in each way alone, in any order; so do the fields beside it. */

const KINDS = ['number', 'string', 'long', 'vector', 'raw'] as const;
const VALUES = 6;

type Compile = (wants: readonly ColumnWant[]) => ValueDecoder;

/** Fields of longs around `x`: what is left over of one would be taken for another. */
function around(type: unknown): object {
  const fields = [
    { name: 'before', type: 'long' },
    { name: 'x', type },
    { name: 'after', type: 'long' },
  ];
  return { type: 'record', name: 'Event', fields };
}

/** The union itself, and each of its branches alone: a producer that knows no other. */
function writersOf(type: unknown): readonly unknown[] {
  return Array.isArray(type) ? [type, ...type.filter((branch) => branch !== 'null')] : [type];
}

/** Orders of two and three of them. */
function ordersOf<T>(kinds: readonly T[]): readonly (readonly T[])[] {
  const others = (taken: readonly T[]) => kinds.filter((kind) => !taken.includes(kind));
  const pairs = kinds.flatMap((one) => others([one]).map((other) => [one, other]));
  return [...pairs, ...pairs.flatMap((pair) => others(pair).map((third) => [...pair, third]))];
}

/** Kinds that the field can be wanted as, of this writer. */
function kindsOf(compile: Compile): readonly ColumnWant['kind'][] {
  return KINDS.filter((kind) => {
    try {
      compile([want('x', kind, 3)]);
      return true;
    } catch (error) {
      assert.ok(error instanceof SluiceError && /^(contract-broken|schema-incompatible)$/.test(error.code), `${error}`);
      return false;
    }
  });
}

/** What differs between the field wanted alone and in every order of other fields; counts the orders that were tried. */
function disagreements(compile: Compile, values: readonly Buffer[], tried: { orders: number }): readonly string[] {
  const kinds = kindsOf(compile);
  const alone = new Map(
    kinds.map((kind) => {
      const wants = [want('x', kind, 3)];
      const decoder = compile(wants);
      return [kind, values.map((value) => decodeOne(decoder, wants, value))];
    }),
  );
  return ordersOf(kinds).flatMap((order) => {
    tried.orders++;
    const wants = [want('before', 'number'), ...order.map((kind) => want('x', kind, 3)), want('after', 'number')];
    const decoder = compile(wants);
    return values.flatMap((value, k) => {
      const each = order.map((kind) => alone.get(kind)?.[k]);
      const expected = each.includes(undefined) ? undefined : [11, ...each.flat(), 7];
      const got = decodeOne(decoder, wants, value);
      try {
        assert.deepEqual(got, expected);
        return [];
      } catch (error) {
        assert.ok(error instanceof assert.AssertionError);
        return [`${order} of ${value.toString('hex')}: ${error.message.replaceAll(/\s+/g, ' ')}`];
      }
    });
  });
}

test('a field wanted in several ways has each of them, in any order, also of a writer that is narrower', () => {
  const random = seeded(9);
  const wrong: string[] = [];
  const tried = { orders: 0 };
  for (const each of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const { type } = fieldOf(each, absence) as { readonly type: unknown };
      const reader = around(type);
      for (const written of writersOf(type)) {
        const writer = around(written);
        const avro = oracle(writer);
        const values = Array.from({ length: VALUES }, () =>
          avro.toBuffer({ before: 11n, x: randomValue(written, random), after: 7n }),
        );
        const what = `${each.name}, null: ${absence}, written as ${Array.isArray(written) ? 'it' : branchName(written)}`;
        const found = disagreements((wants) => compileAvroDecoder({ writer, reader, wants }), values, tried);
        wrong.push(...found.map((text) => `${what}: ${text}`));
      }
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 40).join('\n')}`);
  assert.ok(tried.orders > 2_000, `${tried.orders} orders`);
});

test('a field of JSON wanted in several ways has each of them, in any order', () => {
  const random = seeded(10);
  const wrong: string[] = [];
  const tried = { orders: 0 };
  for (const each of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const { type } = fieldOf(each, absence) as { readonly type: unknown };
      const values = Array.from({ length: VALUES }, () => jsonOf(meaningOf(type, randomValue(type, random)))).flatMap(
        (json) => (json === undefined ? [] : [Buffer.from(`{"before":11,"x":${json},"after":7}`)]),
      );
      const found = disagreements((wants) => compileJsonDecoder({ schema: around(type), wants }), values, tried);
      wrong.push(...found.map((text) => `${each.name}, null: ${absence}: ${text}`));
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 40).join('\n')}`);
  assert.ok(tried.orders > 1_000, `${tried.orders} orders`);
});
