import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import avro from 'avsc';
import { inlineReferences, type Reference } from '../../../../src/adapters/registry/references.ts';
import { createRegistrySchemas } from '../../../../src/adapters/registry/registry.ts';
import { compileAvroSplitter } from '../../../../src/codecs/avro/split.ts';
import { createRegistry } from '../../../../src/devstack/registry.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const registry = await createRegistry();
after(() => registry.close());
const schemas = createRegistrySchemas(
  { clock: new FakeClock(), telemetry: new RecordingTelemetry() },
  { url: registry.url },
);

const record = (name: string, fields: Record<string, unknown>, namespace?: string): object => ({
  type: 'record',
  name,
  ...(namespace !== undefined && { namespace }),
  fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
});

function register(subject: string, schema: object, references: Reference[] = []): number {
  return registry.register(subject, { schema: JSON.stringify(schema), references });
}

const to = (name: string, subject: string, version = 1): Reference => ({ name, subject, version });

test('a schema with references, and theirs, is one schema: what avsc writes by it has the shape that we walk', async () => {
  register('money', { type: 'enum', name: 'Currency', namespace: 'shop', symbols: ['EUR', 'USD'] });
  register('price', record('Price', { amount: 'double', currency: 'Currency' }, 'shop'), [
    to('shop.Currency', 'money'),
  ]);
  register('bare', record('Bare', { x: 'int' }));
  const id = register(
    'order',
    record(
      'Order',
      {
        id: 'long',
        price: 'shop.Price',
        last: ['null', 'shop.Price'],
        in: 'shop.Currency',
        b: { type: 'array', items: 'Bare' },
      },
      'web',
    ),
    [to('shop.Price', 'price'), to('shop.Currency', 'money'), to('Bare', 'bare')],
  );
  const whole = await schemas.writerSchema(id);
  const price = { amount: 1.5, currency: 'USD' };
  const value = { id: 7, price, last: price, in: 'EUR', b: [{ x: 3 }] };
  const bytes = avro.Type.forSchema(whole as avro.Schema).toBuffer(value);
  assert.equal(compileAvroSplitter(whole)(bytes, 0, bytes.length), bytes.length);
  assert.deepEqual(await schemas.writerSchema(id), whole);
});

test('schemas that refer to each other end where they begin', () => {
  const one = record('One', { two: ['null', 'Two'] }, 'n');
  const two = record('Two', { one: ['null', 'One'], self: ['null', 'n.Two'] }, 'n');
  const whole = inlineReferences(one, [two, one]);
  assert.deepEqual(
    whole,
    record('One', { two: ['null', record('Two', { one: ['null', 'n.One'], self: ['null', 'n.Two'] }, 'n')] }, 'n'),
  );
});

test('a name that nobody defines stays, for whoever reads the schema to say so', () => {
  const schema = record('R', { a: 'gone.Type' });
  assert.deepEqual(inlineReferences(schema, []), schema);
});

test('a reference to what is not there dead-letters with the name of it', async () => {
  const id = register('broken', record('Broken', { a: 'x.Gone' }), [to('x.Gone', 'gone', 4)]);
  await assert.rejects(schemas.writerSchema(id), {
    code: 'schema-unknown',
    message: /refers to version 4 of gone, which is not there/,
  });
});

test('subjects that refer to each other are asked for once each', async () => {
  register('ring-a', record('A', { b: ['null', 'B'] }), [to('B', 'ring-b')]);
  const id = register('ring-b', record('B', { a: ['null', 'A'] }), [to('A', 'ring-a')]);
  const whole = (await schemas.writerSchema(id)) as { name: string };
  assert.equal(whole.name, 'B');
  assert.ok(avro.Type.forSchema(whole as avro.Schema).isValid({ a: { b: null } }));
});
