import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../src/codecs/avro/decoder.ts';
import { compileJsonDecoder } from '../../src/codecs/json/decoder.ts';
import type { ColumnWant, ValueDecoder } from '../../src/codecs/types.ts';
import { classify } from '../../src/kernel/errors.ts';
import { seeded } from '../fixtures/random.ts';
import { ABSENCES, EVENT_TYPES, fieldOf } from '../fixtures/type-matrix/types.ts';
import { jsonOf, meaningOf, randomValue } from '../fixtures/type-matrix/values.ts';
import { decodeOne, oracle, want } from '../unit/codecs/support.ts';

/** A field of a record inside of the event is what the same field is of the event itself: of every type, wanted as every kind. */

const KINDS = ['number', 'string', 'long', 'vector', 'raw'] as const;
const VALUES = 4;

const record = (name: string, ...fields: object[]): object => ({ type: 'record', name, fields });
const flat = (field: object): object =>
  record('Flat', { name: 'before', type: 'long' }, field, { name: 'after', type: 'long' });

/** The record by itself, behind a union, in another one, with the other fields around all of it. */
const PLACES: readonly {
  readonly path: string;
  readonly schema: (inner: object) => object;
  readonly avro: (value: Buffer) => Buffer;
  readonly json: (text: string) => string;
  /** What goes on whole has a branch for the null in front. */
  readonly isOptional: boolean;
}[] = [
  {
    path: 'in.',
    schema: (inner) => record('Event', { name: 'in', type: inner }),
    avro: (value) => value,
    json: (text) => `{"in":${text}}`,
    isOptional: false,
  },
  {
    path: 'in.',
    schema: (inner) => record('Event', { name: 'in', type: ['null', inner] }),
    avro: (value) => Buffer.concat([Buffer.from([2]), value]),
    json: (text) => `{"other":[{"in":1}],"in":${text}}`,
    isOptional: true,
  },
  {
    path: 'out.in.',
    schema: (inner) =>
      record('Event', { name: 'n', type: 'int' }, { name: 'out', type: record('Out', { name: 'in', type: inner }) }),
    avro: (value) => Buffer.concat([Buffer.from([20]), value]),
    json: (text) => `{"out":{"in":${text},"more":{},"in":${text}},"n":10}`,
    isOptional: false,
  },
];

/** What decodes, or why it never can; a field's name aside. */
function attempt(compile: () => ValueDecoder): ValueDecoder | string {
  try {
    return compile();
  } catch (thrown) {
    const { code, message } = classify(thrown);
    assert.match(code, /^(contract-broken|schema-incompatible)$/, message);
    return code;
  }
}

function compared(
  compile: (schema: object, wants: readonly ColumnWant[]) => ValueDecoder,
  field: object,
  values: readonly (readonly [flat: Buffer, nested: (place: (typeof PLACES)[number]) => Buffer])[],
  say: (what: string) => void,
): number {
  let count = 0;
  for (const kind of KINDS) {
    const wants = [want('before', 'number'), want('x', kind, 3), want('after', 'number')];
    const own = attempt(() => compile(flat(field), wants));
    for (const [k, place] of PLACES.entries()) {
      if (place.isOptional && kind === 'raw') continue;
      const inner = wants.map((each) => ({ ...each, field: `${place.path}${each.field}` }));
      const nested = attempt(() => compile(place.schema(flat(field)), inner));
      if (typeof own === 'string' || typeof nested === 'string') {
        if (own !== nested) say(`${kind} in ${k}: ${String(own)}, nested ${String(nested)}`);
        continue;
      }
      for (const [value, nestedValue] of values) {
        count++;
        const alone: unknown = decodeOne(own, wants, value);
        try {
          assert.deepEqual(decodeOne(nested, inner, nestedValue(place)), alone);
        } catch {
          say(`${kind} in ${k} of ${value.toString('hex')}`);
        }
      }
    }
  }
  return count;
}

test('of Avro, damaged values too', () => {
  const random = seeded(31);
  const wrong: string[] = [];
  let count = 0;
  for (const each of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const field = fieldOf(each, absence);
      const { type } = field as { readonly type: unknown };
      const avro = oracle(flat({ name: 'x', type }));
      const whole = Array.from({ length: VALUES }, () =>
        avro.toBuffer({ before: 11n, x: randomValue(type, random), after: 7n }),
      );
      const damaged = whole.map((value) => {
        const copy = Buffer.from(value);
        copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
        return copy;
      });
      const cut = whole.map((value) => value.subarray(0, Math.floor(random() * value.length)));
      const values = [...whole, ...damaged, ...cut].map(
        (value) => [value, (place: (typeof PLACES)[number]) => place.avro(value)] as const,
      );
      count += compared(
        (writer, wants) => compileAvroDecoder({ writer, wants }),
        field,
        values,
        (what) => wrong.push(`${each.name}, null: ${absence}: ${what}`),
      );
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 40).join('\n')}`);
  assert.ok(count > 5_000, `${count} compared`);
});

test('of JSON, absent and of another type too', () => {
  const random = seeded(32);
  const wrong: string[] = [];
  let count = 0;
  for (const each of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const field = fieldOf(each, absence);
      const { type } = field as { readonly type: unknown };
      const texts = Array.from({ length: VALUES }, () => jsonOf(meaningOf(type, randomValue(type, random))));
      const others = ['null', '"x"', '-0.5', '[]', '{}', 'true', '[1,2,3]', '{"lat":1}'];
      const values = [
        '{"before":11,"after":7}',
        ...[...texts.filter((text) => text !== undefined), ...others].map(
          (json) => `{"before":11,"x":${json},"after":7}`,
        ),
      ].map((text) => [Buffer.from(text), (place: (typeof PLACES)[number]) => Buffer.from(place.json(text))] as const);
      count += compared(
        (schema, wants) => compileJsonDecoder({ schema, wants }),
        field,
        values,
        (what) => wrong.push(`${each.name}, null: ${absence}: ${what}`),
      );
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} wrong:\n${wrong.slice(0, 40).join('\n')}`);
  assert.ok(count > 5_000, `${count} compared`);
});
