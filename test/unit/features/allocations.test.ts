import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Allocations, startSampling, total } from '../../../bench/sampling.ts';
import type { Example } from '../../../src/features/functions/spec.ts';
import { FAMILIES } from '../../../src/features/functions/table.ts';
import { compileInputs } from '../../../src/features/inputs.ts';
import { emptyFrame, eventColumns, field, linesOf, scopeOf } from '../../fixtures/expressions.ts';
import * as own from '../../fixtures/transforms.ts';

/** No function makes an object per record: its example runs over a frame repeatedly while V8 reports its allocations. */
const RECORDS = 4_000;
const WARM_FRAMES = 6;
/** Boxed numbers, from code that is not yet optimised, have 16 bytes. */
const LEAST_OBJECT_BYTES = 24;
const MOST_OBJECTS_A_RECORD = 0.1;

const examples = Object.entries(FAMILIES).flatMap(([family, specs]) =>
  specs.flatMap(({ name, example, more = [] }) =>
    [example, ...more]
      .filter(({ gives }) => typeof gives !== 'string')
      .map((one) => ({ name: `${family}: ${name}`, one })),
  ),
);

async function objectsARecord({ expression, given = {} }: Example): Promise<{ rate: number; most: string }> {
  const fields = Object.entries(given).map(([name, value]) => {
    const kind = Array.isArray(value) ? 'vector' : typeof value === 'number' ? 'number' : 'string';
    return [name, field(kind, true)] as const;
  });
  const compiled = compileInputs({
    let: [],
    inputs: [{ name: 'x', dtype: 'float64', lines: linesOf({ x: `(${expression}) ?? 0` }) }],
    scope: scopeOf(Object.fromEntries(fields)),
    transforms: new Map([['./transforms.ts', new Map(Object.entries(own))]]),
  });
  assert.ok(compiled.ok);
  const { fill, wants, widths } = compiled.program;
  const frame = emptyFrame(RECORDS);
  frame.columns = eventColumns(wants, new Array(RECORDS).fill(given));
  const slab = new Float64Array(RECORDS * widths[0]);
  const memory = { slab: () => slab, recordOf: new Int32Array(RECORDS) };
  for (let k = 0; k < WARM_FRAMES; k++) fill(frame, memory);
  const stop = await startSampling(LEAST_OBJECT_BYTES);
  fill(frame, memory);
  const seen: Allocations[] = await stop();
  assert.equal(frame.rows, RECORDS);
  const [first] = seen.sort((a, b) => b.objects - a.objects);
  return { rate: total(seen, 'objects') / RECORDS, most: first?.where ?? '' };
}

test('no function makes an object per record', async () => {
  const wasteful: string[] = [];
  for (const { name, one } of examples) {
    const { rate, most } = await objectsARecord(one);
    if (rate > MOST_OBJECTS_A_RECORD) wasteful.push(`${name}: ${rate.toFixed(2)} objects a record, ${most}`);
  }
  assert.deepEqual(wasteful, []);
});
