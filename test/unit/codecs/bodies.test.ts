import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroEncoder } from '../../../src/codecs/avro/encoder.ts';
import { bodiesOf } from '../../../src/codecs/bodies.ts';
import type { BodiesEncoder } from '../../../src/codecs/types.ts';
import type { StringColumn } from '../../../src/kernel/columns.ts';
import { DROPPED, OPEN } from '../../../src/kernel/fate.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { longs, numbers, strings } from './support.ts';

test('bodies written in one call equal those written value by value, including keys, long values and refusals', () => {
  const schema = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'text', type: ['null', 'string'] },
      { name: 'n', type: 'double' },
      { name: 'at', type: 'long' },
    ],
  };
  const text = fc.option(
    fc.oneof(fc.string({ maxLength: 9 }), fc.string({ minLength: 50, maxLength: 9_000, size: 'max' })),
  );
  const row = fc.tuple(
    text,
    fc.oneof(fc.double(), fc.constant(Number.NaN)),
    fc.option(fc.string({ maxLength: 80 })),
    fc.nat(4),
  );
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30, size: 'max' }), (given) => {
      const events = [
        strings(...given.map(([each]) => each)),
        numbers(...given.map(([, n]) => n)),
        longs(...given.map((_, i) => BigInt(i))),
      ];
      const encoder = compileAvroEncoder({
        schema,
        fields: schema.fields.map(({ name }, slot) => ({ name, source: { from: 'event', slot } })),
        wants: events.map(({ kind }) => ({ kind, width: 1 })),
        predictions: [],
        prefix: Buffer.from([0, 0, 0, 0, 9]),
      });
      const keyed = strings(...given.map(([, , key]) => key)) as StringColumn;
      const { buffer, byteOffset, byteLength } = keyed.bytes;
      const keys = { bytes: new DataView(buffer, byteOffset, byteLength), starts: keyed.start, ends: keyed.end };
      const fate = Uint8Array.from(given, ([, , , settled]) => (settled === 0 ? DROPPED : OPEN));
      const timestamps = Float64Array.from(given, (_, i) => i);
      const encodeAll = (bodies: BodiesEncoder): unknown => {
        const slab = new RecordSlab(0, 0);
        const rows = new Int32Array(given.length).fill(-1);
        const refused: number[] = [];
        for (let from = 0; from < given.length; from++) {
          from = bodies(keys, timestamps, fate, slab, rows, from, given.length);
          if (from < given.length) refused.push(from);
        }
        return {
          refused,
          rows: [...rows],
          bytes: slab.arena.toString('hex', 0, slab.used),
          columns: [slab.timestamps, slab.keyStart, slab.keyEnd, slab.valueStart, slab.valueEnd, slab.bodyStart].map(
            (column) => [...column.subarray(0, slab.count)],
          ),
        };
      };
      assert.deepEqual(encodeAll(encoder.bindBodies(events, [])), encodeAll(bodiesOf(encoder.bind(events, []))));
    }),
    { seed: 11, numRuns: 150 },
  );
});
