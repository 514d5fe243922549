import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../src/codecs/avro/decoder.ts';
import { compileJsonDecoder } from '../../src/codecs/json/decoder.ts';
import { contractOf, runContract } from '../fixtures/type-matrix/contract.ts';
import { isSame, isSameJson, parseDigits } from '../fixtures/type-matrix/outputs.ts';
import { ABSENCES, EVENT_TYPES, fieldOf } from '../fixtures/type-matrix/types.ts';
import { TARGETS } from '../fixtures/type-matrix/uses.ts';
import { type Meaning, meaningOf } from '../fixtures/type-matrix/values.ts';
import { decodeOne, oracle, want } from '../unit/codecs/support.ts';

const float = (value: number): Meaning => ({ is: 'float', value });
const text = (value: string): Meaning => ({ is: 'text', value });

/** What an output field may be filled with beside the event, and what it is; the model answers 0.25, 1.5, -2. */
const SOURCES: readonly (readonly [source: string, prediction: string, Meaning])[] = [
  ['prediction.p', 'out[0]', float(0.25)],
  ['prediction.p', 'floor(out[1])', float(1)],
  ['prediction.p', 'out', { is: 'list', value: [0.25, 1.5, -2].map(float) }],
  ['prediction.p', 'band(out[0], "low", 0.5, "high")', text('low')],
  ['details.d.c', 'out[0]', { is: 'null' }],
  ['model.digest', 'out[0]', text('0123456789ab')],
];

test('what check lets into an output from the model, the details and the bundle is there as it was', () => {
  let accepted = 0;
  for (const [source, prediction, meaning] of SOURCES) {
    for (const { name, schema } of TARGETS) {
      for (const wire of ['avro', 'json'] as const) {
        const what = `${source} = ${prediction} to ${name}, ${wire}`;
        const field = { name: 'x', type: 'int', default: 0 };
        const { plan, findings } = contractOf(field, { source, prediction, target: schema }, 'json', wire);
        if (plan === undefined) {
          const [{ code, line, excerpt, remedy }] = findings;
          assert.equal(code, 'output-mismatch', what);
          assert.ok(line > 1 && excerpt.trim() !== '' && remedy.length > 10, what);
          continue;
        }
        accepted++;
        const [{ output, fate, reason }] = runContract(plan, [Buffer.from('{"id":1}')]);
        assert.ok(output, `${what}: ${fate} ${reason}`);
        if (wire === 'json') {
          assert.ok(isSameJson(meaning, (parseDigits(output.toString()) as { y: unknown }).y), `${what}: ${output}`);
          continue;
        }
        const record = {
          type: 'record',
          name: 'O',
          fields: [
            { name: 'id', type: 'long' },
            { name: 'y', type: schema },
          ],
        };
        const { y } = oracle(record).fromBuffer(output) as { readonly y: unknown };
        assert.ok(isSame(meaning, meaningOf(schema, y), true), `${what}: ${output.toString('hex')}`);
      }
    }
  }
  assert.ok(accepted > 40, `${accepted} accepted`);
});

test('the default of every type stands where a writer lacks the field, and where JSON leaves it out', () => {
  const writer = { type: 'record', name: 'Event', fields: [{ name: 'id', type: 'long' }] };
  const bytes = Buffer.from([2]);
  for (const type of EVENT_TYPES) {
    for (const absence of ABSENCES) {
      const field = fieldOf(type, absence) as { readonly type: unknown; readonly default?: unknown };
      const schema = { type: 'record', name: 'Event', fields: [{ name: 'id', type: 'long' }, field] };
      if (!Object.hasOwn(field, 'default')) {
        assert.throws(
          () => compileAvroDecoder({ writer, reader: schema, wants: [want('x', 'raw')] }),
          /has no default/,
        );
        continue;
      }
      // avsc wants a default of the first branch, and gives the value that it means.
      const reader = oracle(schema);
      const value = reader.fromBuffer(bytes, reader.createResolver(oracle(writer)) as never);
      const expected = reader.toBuffer(value).subarray(1);
      const wants = [want('x', 'raw')];
      const [avro] = decodeOne(compileAvroDecoder({ writer, reader: schema, wants }), wants, bytes) ?? [];
      assert.deepEqual(avro, expected, type.name);
      const [json] = decodeOne(compileJsonDecoder({ schema, wants }), wants, Buffer.from('{"id":1}')) ?? [];
      assert.deepEqual(json, expected, type.name);
    }
  }
});
