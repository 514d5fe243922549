import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import avro from 'avsc';
import { encodeEvents, readEvents, synthesize } from '../../../../src/commands/bench/events.ts';
import { seeded } from '../../../../src/kernel/random.ts';
import type { ValueFormat } from '../../../../src/plan/topology.ts';

const schema = JSON.parse(readFileSync('schemas/flight-departed.avsc', 'utf8'));
const AVRO: ValueFormat = { kind: 'avro', schemaFile: 'flight.avsc', schema, wire: 'confluent', ids: [] };
const type = avro.Type.forSchema(schema);

test('events of a file become what an Avro writer makes of them', async () => {
  const lines = await readEvents('examples/flight-delay/events-500.jsonl', 20);
  assert.equal(lines.length, 20);
  const prefix = Buffer.from([0, 0, 0, 0, 9]);
  const values = encodeEvents(lines, AVRO, prefix);
  values.forEach((value, i) => {
    const expected = Buffer.concat([prefix, type.toBuffer(JSON.parse(lines[i].toString()))]);
    assert.deepEqual(value, expected);
  });
});

test('JSON goes as it stands, fit or not; a line that does not fit an Avro schema is named', () => {
  const lines = [Buffer.from('{"id":1,"departed_at":2}'), Buffer.from('{"id":"x"}')];
  assert.equal(encodeEvents(lines, { ...AVRO, kind: 'json' } as ValueFormat, Buffer.alloc(0)), lines);
  assert.throws(() => encodeEvents(lines, AVRO, Buffer.alloc(0)), /event 2, \{"id":"x"\}, does not fit flight\.avsc/);
});

test('made events fit their schema, differ, and are the same for the same seed', () => {
  const made = synthesize(schema, 50, seeded(4));
  assert.deepEqual(made, synthesize(schema, 50, seeded(4)));
  assert.ok(new Set(made.map(String)).size > 45);
  for (const value of encodeEvents(made, { ...AVRO, wire: 'plain' } as ValueFormat, Buffer.alloc(0)))
    assert.ok(type.isValid(type.fromBuffer(value)));
});

test('an empty file has no events', async () => {
  await assert.rejects(readEvents('/dev/null', 5), /has no events/);
});
