import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseDurationMs, parseSizeBytes } from '../../../src/topology/units.ts';

test('durations are whole milliseconds', () => {
  const known = { '50ms': 50, '20s': 20_000, '1.5s': 1_500, '10m': 600_000, '2h': 7_200_000, '7d': 604_800_000 };
  for (const [text, ms] of Object.entries(known)) assert.equal(parseDurationMs(text), ms, text);
});

test('sizes are whole bytes, in binary units', () => {
  const known = { '1B': 1, '1KiB': 1_024, '64MiB': 67_108_864, '1.5GiB': 1_610_612_736 };
  for (const [text, bytes] of Object.entries(known)) assert.equal(parseSizeBytes(text), bytes, text);
});

test('without a unit, with another one, or finer than the smallest, there is no value', () => {
  for (const text of ['50', '', 'ms', '-5s', '5 s', '5S', '5us', '0.5ms', '1e3s', '5s5', '9999999999999999d'])
    assert.equal(parseDurationMs(text), undefined, text);
  for (const text of ['64', '64MB', '64mib', '0.5B', '-1KiB']) assert.equal(parseSizeBytes(text), undefined, text);
});

test('any whole number of any unit is that many times the unit', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (count, unit) => {
      assert.equal(parseDurationMs(`${count}${unit}`), count * (parseDurationMs(`1${unit}`) ?? Number.NaN));
    }),
    { seed: 7, numRuns: 200 },
  );
});
