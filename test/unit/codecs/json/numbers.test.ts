import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_NUMBER_BYTES, writeFloat32 } from '../../../../src/codecs/json/numbers.ts';

test('a float is the shortest text that reads back to the same float32', () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const into = Buffer.alloc(64);
  const check = (pattern: number): void => {
    bits[0] = pattern;
    if (!Number.isFinite(float[0])) return;
    const text = into.toString('latin1', 0, writeFloat32(into, 0, float[0]));
    assert.ok(text.length <= MAX_NUMBER_BYTES);
    const read = JSON.parse(text) as number;
    assert.ok(Object.is(Math.fround(read), float[0]), `${float[0]} as ${text}`);
    let shortest = 1;
    while (Math.fround(Number(float[0].toPrecision(shortest))) !== float[0]) shortest++;
    const mantissa = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
    assert.ok(
      mantissa.length <= Math.max(shortest, Number.isInteger(float[0]) ? 10 : 0),
      `${text} could have ${shortest} digits`,
    );
  };
  for (const value of [0, 0x80000000, 1, 0x007fffff, 0x7f7fffff, 0x3ddb3bb8, 0x4b800001, 0x33d6bf95]) check(value);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), check), { seed: 3, numRuns: 3_000 });
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (share) => {
      float[0] = share;
      check(bits[0]);
    }),
    { seed: 4, numRuns: 3_000 },
  );
});
