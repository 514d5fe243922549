import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFileSchemas } from '../../../../src/adapters/files/file-schemas.ts';

const INPUT = { type: 'record', name: 'in', fields: [] };
const OUTPUT = { type: 'record', name: 'out', fields: [] };

const schemas = createFileSchemas({
  ids: [
    { id: 3, schema: INPUT },
    { id: 4, schema: INPUT },
    { id: 9, schema: OUTPUT },
  ],
});

test('an id means the schema that the topology says', async () => {
  assert.equal(await schemas.writerSchema(4), INPUT);
  assert.equal(await schemas.writerSchema(9), OUTPUT);
});

test('an id that the topology does not name is a fault of the record', async () => {
  await assert.rejects(schemas.writerSchema(5), {
    code: 'schema-unknown',
    disposition: 'dead-letter',
    message: 'schema id 5 is not among the ids of the topology (3, 4, 9); add it to value.ids or name a registry',
  });
  await assert.rejects(createFileSchemas({ ids: [] }).writerSchema(5), { message: /\(none\)/ });
});

test('a schema is written with the first of its ids; one without is a fault of the topology', async () => {
  assert.equal(await schemas.idFor('any', INPUT), 3);
  assert.equal(await schemas.idFor('any', OUTPUT), 9);
  await assert.rejects(schemas.idFor('t-value', { type: 'record', name: 'other', fields: [] }), {
    code: 'topology-invalid',
    message: /no id for t-value: give output\.value\.ids/,
  });
});
