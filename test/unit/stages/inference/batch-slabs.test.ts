import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Tensor } from '../../../../src/kernel/frame.ts';
import { BatchSlabs } from '../../../../src/stages/inference/batch-slabs.ts';
import { emptyRecords } from '../../../fixtures/frames.ts';
import { ORIGIN } from '../../../fixtures/stage-deps.ts';

const WIDTHS = [3, 1];

/** Cell c of row r of frame n is 100·n + 10·r + c; the second input counts in 64 bits. */
function frame(n: number, rows: number): Frame {
  const made = emptyRecords(ORIGIN, 0, rows);
  made.rows = rows;
  made.inputs = [
    Float32Array.from({ length: rows * 3 }, (_, k) => 100 * n + 10 * Math.floor(k / 3) + (k % 3)),
    BigInt64Array.from({ length: rows }, (_, r) => BigInt(100 * n + 10 * r)),
  ];
  made.outputs = [new Float64Array(rows * 2).fill(Number.NaN), new Float64Array(rows).fill(Number.NaN)];
  return made;
}

function row(n: number, r: number): number[] {
  return [0, 1, 2].map((c) => 100 * n + 10 * r + c);
}

test('rows of several frames stand one behind the other, each input in its own dtype and width', () => {
  const slabs = new BatchSlabs(WIDTHS, 8);
  const slices = [
    { frame: frame(1, 4), from: 2, to: 4 },
    { frame: frame(2, 1), from: 0, to: 1 },
    { frame: frame(3, 5), from: 1, to: 3 },
  ];
  for (let again = 0; again < 2; again++) {
    const [floats, longs] = slabs.gather(slices, 5);
    assert.deepEqual([...(floats as Float32Array)], [row(1, 2), row(1, 3), row(2, 0), row(3, 1), row(3, 2)].flat());
    assert.deepEqual([...(longs as BigInt64Array)], [120n, 130n, 200n, 310n, 320n]);
    // A larger batch in between leaves nothing behind.
    slabs.gather(
      [
        { frame: frame(8, 4), from: 0, to: 4 },
        { frame: frame(9, 4), from: 0, to: 4 },
      ],
      8,
    );
  }
});

test('rows of one frame are handed on where they are, without a copy', () => {
  const only = frame(4, 6);
  const tensors = new BatchSlabs(WIDTHS, 8).gather([{ frame: only, from: 1, to: 4 }], 3);
  tensors.forEach((tensor: Tensor, k) => {
    assert.equal(tensor.buffer, only.inputs[k].buffer);
    assert.equal(tensor.length, 3 * WIDTHS[k]);
  });
  assert.deepEqual([...(tensors[0] as Float32Array)], [row(4, 1), row(4, 2), row(4, 3)].flat());
});

test('answers go back to the rows that they are of, and to no others', () => {
  const [first, second] = [frame(1, 4), frame(2, 3)];
  const slices = [
    { frame: first, from: 1, to: 3 },
    { frame: second, from: 2, to: 3 },
  ];
  new BatchSlabs(WIDTHS, 8).scatter(slices, [
    { values: Float32Array.of(10, 11, 20, 21, 30, 31), width: 2 },
    { values: BigInt64Array.of(1n, 2n, 3n), width: 1 },
  ]);
  const none = Number.NaN;
  assert.deepEqual([...first.outputs[0]], [none, none, 10, 11, 20, 21, none, none]);
  assert.deepEqual([...second.outputs[0]], [none, none, none, none, 30, 31]);
  assert.deepEqual([...first.outputs[1], ...second.outputs[1]], [none, 1, 2, none, none, none, 3]);
});

test('a whole number that float64 does not have is missing, not another one', () => {
  const only = frame(1, 4);
  const values = BigInt64Array.of(-7n, 2n ** 53n - 1n, 2n ** 53n + 1n, -(2n ** 60n));
  new BatchSlabs(WIDTHS, 8).scatter(
    [{ frame: only, from: 0, to: 4 }],
    [
      { values: new Float32Array(8), width: 2 },
      { values, width: 1 },
    ],
  );
  assert.deepEqual([...only.outputs[1]], [-7, 2 ** 53 - 1, Number.NaN, -(2 ** 60)]);
});
