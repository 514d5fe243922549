import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodiesOf } from '../../../src/codecs/bodies.ts';
import { compileJsonEncoder } from '../../../src/codecs/json/encoder.ts';
import { parseKeyTemplate } from '../../../src/codecs/key-template.ts';
import type { ValueEncoder } from '../../../src/codecs/types.ts';
import { longColumn, numberColumn } from '../../../src/kernel/columns.ts';
import { DEAD_LETTERED, OPEN, REASONS, reasonCode } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { createEncode } from '../../../src/stages/encode.ts';
import { appendBody } from '../../fixtures/bodies.ts';
import { frameOf, type TestRecord, textColumn } from '../../fixtures/frames.ts';
import { OUTPUT_FIELDS, OUTPUT_SCHEMA, testPlan } from '../../fixtures/plan.ts';

const ORIGIN = { topic: 'flights.ö', partition: 12, epoch: 1 };

interface Row extends TestRecord {
  readonly id: bigint;
  readonly y: number;
  readonly tag?: string | null;
}

/** A frame as postprocess leaves it. */
function scored(rows: readonly Row[]): Frame {
  const frame = frameOf(ORIGIN, rows);
  const id = longColumn(rows.length);
  const y = numberColumn(rows.length);
  rows.forEach((row, i) => {
    id.values[i] = row.id;
    id.present[i] = 1;
    y.values[i] = row.y;
  });
  frame.columns = [id, numberColumn(rows.length), textColumn(rows.map(({ tag }) => tag ?? null))];
  frame.predictions = [y];
  frame.model = 'test@1#0123456789ab';
  return frame;
}

function encodeWith(outputKey: string | undefined): { plan: Plan; encode: ReturnType<typeof createEncode> } {
  const slots: Readonly<Record<string, number>> = { id: 0, x: 1, tag: 2 };
  const key = outputKey === undefined ? undefined : parseKeyTemplate(outputKey, (field) => slots[field]);
  const plan: Plan = { ...testPlan(), outputKey: key };
  const encoder = compileJsonEncoder({
    schema: OUTPUT_SCHEMA,
    fields: OUTPUT_FIELDS,
    wants: plan.wants,
    predictions: plan.predictions.predictions,
  });
  return { plan, encode: createEncode(plan, encoder) };
}

function outputs(frame: Frame): ({ key: string | null; value: string; timestampMs: number } | string)[] {
  const slab = frame.encoded;
  assert.ok(slab);
  return Array.from(frame.encodedAs, (row, i) => {
    if (row < 0) return frame.fate[i] === OPEN ? 'nothing' : REASONS[frame.reason[i]];
    return {
      key: slab.keyStart[row] < 0 ? null : slab.arena.toString('latin1', slab.keyStart[row], slab.keyEnd[row]),
      value: slab.arena.toString('utf8', slab.valueStart[row], slab.valueEnd[row]),
      timestampMs: slab.timestamps[row],
    };
  });
}

test('an output has the input’s timestamp, and by default its key: null and empty ones too', () => {
  const frame = scored([
    { id: 1n, y: 0.5, offset: 3, timestampMs: 77, key: Buffer.from([0, 255]) },
    { id: 2n, y: 1, offset: 4, timestampMs: 78, key: null },
    { id: 3n, y: 2, offset: 5, timestampMs: 79, key: '' },
  ]);
  encodeWith(undefined).encode(frame);
  assert.deepEqual(outputs(frame), [
    { key: '\u0000ÿ', value: '{"id":1,"y":0.5}', timestampMs: 77 },
    { key: null, value: '{"id":2,"y":1}', timestampMs: 78 },
    { key: '', value: '{"id":3,"y":2}', timestampMs: 79 },
  ]);
});

test('a key template with a missing part, or a value that does not fit, dead-letters that record alone', () => {
  const frame = scored([
    { id: 1n, y: 1, offset: 0, tag: 'a' },
    { id: 2n, y: 2, offset: 1, tag: null },
    { id: 3n, y: Number.NaN, offset: 2, tag: 'c' },
    { id: 4n, y: 4, offset: 3, tag: 'x'.repeat(4_096) },
    { id: 5n, y: 5, offset: 4, tag: 'e' },
    { id: 6n, y: 6, offset: 5, tag: 'f' },
  ]);
  decide(frame, 4, DEAD_LETTERED, reasonCode('model-failed'));
  encodeWith('{id}#{tag}').encode(frame);
  const found = outputs(frame).map((each) => (typeof each === 'string' ? each : `${each.key} ${each.value}`));
  const failed = 'encode-failed';
  assert.deepEqual(found, ['1#a {"id":1,"y":1}', failed, failed, failed, 'model-failed', '6#f {"id":6,"y":6}']);
  const slab = frame.encoded;
  // Beside its parts a row has the lengths of key and value, a byte each.
  assert.deepEqual(
    [slab?.count, slab?.used],
    [2, Number(slab?.rowBytes(0)) + Number(slab?.rowBytes(1)) + 2 * 2],
    'nothing is left behind of what failed',
  );
});

test('a frame of which nothing is left encodes to nothing', () => {
  const frame = scored([{ id: 1n, y: 1, offset: 0 }]);
  decide(frame, 0, DEAD_LETTERED, reasonCode('decode-failed'));
  encodeWith('{id}').encode(frame);
  assert.deepEqual([frame.encoded?.count, ...frame.encodedAs], [0, -1]);
});

test('a row lies as in a record batch from the key on, whatever the lengths of key and value take', () => {
  const lengths = [1, 62, 63, 64, 65, 9, 8_191, 8_192, 63, 64];
  const valueAt = (i: number): Buffer => Buffer.alloc(lengths.at(-1 - i) ?? 0, i);
  const encoder: ValueEncoder = {
    bind: () => (i, slab) => {
      const value = valueAt(i);
      slab.used = slab.reserve(value.length) + value.copy(slab.arena, slab.used);
      return true;
    },
    bindBodies: () => bodiesOf(encoder.bind([], [])),
  };
  for (const template of ['{tag}', undefined]) {
    const frame = scored(
      lengths.map((length, i) => ({
        ...{ id: 1n, y: 1, offset: i, tag: 'x'.repeat(Math.min(length, 4_000)) },
        ...(i % 3 > 0 && { key: Buffer.alloc(length, 7) }),
      })),
    );
    const { plan } = encodeWith(template);
    createEncode(plan, encoder)(frame);
    const slab = frame.encoded as RecordSlab;
    for (let row = 0; row < lengths.length; row++) {
      const part = (start: number, end: number): Buffer | null => (start < 0 ? null : slab.arena.subarray(start, end));
      const key = part(slab.keyStart[row], slab.keyEnd[row]);
      const expected =
        template === undefined ? (row % 3 > 0 ? lengths[row] : undefined) : Math.min(lengths[row], 4_000);
      assert.equal(key?.length, expected);
      const alike = new RecordSlab(1, 1);
      appendBody(alike, 0, key, valueAt(row), null);
      assert.ok(
        part(slab.bodyStart[row], slab.valueEnd[row])?.equals(alike.arena.subarray(0, alike.used)),
        `row ${row}`,
      );
    }
  }
});
