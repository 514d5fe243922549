import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HistogramHandle } from '../../../src/telemetry/handles.ts';
import { quantileOf } from '../../../src/telemetry/quantile.ts';

test('inside a bucket the quantile is interpolated; the first begins at 0, the last is its lower bound', () => {
  const bounds = [1, 2, 4];
  assert.equal(quantileOf(bounds, [0, 10, 0, 0], 0.5), 1.5);
  assert.equal(quantileOf(bounds, [10, 0, 0, 0], 0.25), 0.25);
  assert.equal(quantileOf(bounds, [5, 0, 5, 0], 0.75), 3);
  assert.equal(quantileOf(bounds, [5, 0, 5, 0], 1), 4);
  assert.equal(quantileOf(bounds, [0, 0, 1, 0], 0), 2);
  assert.equal(quantileOf(bounds, [1, 0, 0, 99], 0.99), 4);
  assert.ok(Number.isNaN(quantileOf(bounds, [0, 0, 0, 0], 0.5)));
});

test('property: the estimate lies in the bucket of the exact quantile, and grows with q', () => {
  const bounds = Float64Array.from([1, 2, 5, 10, 20, 50, 100]);
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 100 }),
      (values, percent) => {
        const histogram = new HistogramHandle(bounds);
        for (const value of values) histogram.observe(value);
        const q = percent / 100;
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(q * values.length - 1e-9) - 1];
        const bucket = bounds.findIndex((bound) => exact <= bound);
        const estimate = histogram.quantile(q);
        assert.ok(estimate <= bounds[bucket] && estimate >= (bucket === 0 ? 0 : bounds[bucket - 1]));
        assert.ok(histogram.quantile(Math.min(1, q + 0.01)) >= estimate);
      },
    ),
    { seed: 7 },
  );
});
