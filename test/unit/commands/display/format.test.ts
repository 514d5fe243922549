import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bar,
  bytes,
  count,
  counted,
  cut,
  duration,
  fit,
  percent,
  printable,
  sparkline,
  stopwatch,
  textWidth,
} from '../../../../src/commands/display/format.ts';
import { createRates } from '../../../../src/commands/display/rates.ts';

test('counts and durations are rounded and have units', () => {
  assert.deepEqual([0, 999, 1000, 1234567.4, Number.NaN].map(count), ['0', '999', '1,000', '1,234,567', '–']);
  assert.deepEqual(
    [counted(1, 'line'), counted(0, 'line'), counted(1_200, 'line'), counted(2, 'line was', 'lines were')],
    ['1 line', '0 lines', '1,200 lines', '2 lines were'],
  );
  assert.deepEqual([0.1234, 1.234, 12.34, 999.4, 1000, 90_500, 180_000, 10_800_000, 259_200_000].map(duration), [
    '0.123 ms',
    '1.23 ms',
    '12.3 ms',
    '999 ms',
    '1 s',
    '90.5 s',
    '3 min',
    '3 h',
    '3 d',
  ]);
  assert.deepEqual([0, 1023, 1536, 64 * 1024 ** 2, 3 * 1024 ** 3].map(bytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '64 MiB',
    '3 GiB',
  ]);
  assert.deepEqual([0, 0.004, 0.5, 0.994, 1, Number.NaN].map(percent), ['0%', '0.4%', '50%', '99.4%', '100%', '–']);
  assert.equal(stopwatch(3_723_999), '01:02:03');
});

test('a bar is always as wide as asked for, and full only at 1', () => {
  fc.assert(
    fc.property(fc.double({ min: -1, max: 2 }), fc.integer({ min: 1, max: 40 }), (ratio, width) => {
      const [filled, rest] = bar(ratio, width);
      assert.equal(textWidth(filled + rest), width);
    }),
    { seed: 7 },
  );
  assert.deepEqual(bar(0.5, 4), ['██', '░░']);
  assert.deepEqual(bar(0.5, 1), ['▌', '']);
  assert.deepEqual(bar(0, 2), ['', '░░']);
  assert.deepEqual(bar(Number.NaN, 2), ['', '░░']);
});

test('a sparkline has a column a value, from nothing to the largest', () => {
  assert.equal(sparkline([0, 50, 100]), '▁▅█');
  assert.equal(sparkline([0, 0]), '▁▁');
  assert.equal(sparkline([]), '');
});

test('text is cut and filled by columns, not by code units', () => {
  assert.equal(textWidth('東京'), 4);
  assert.equal(textWidth('e\u0301'), 1);
  assert.equal(textWidth('DEN→SFO'), 7);
  assert.equal(cut('東京大阪', 5), '東京…');
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abcd', 3), 'ab…');
  assert.equal(cut('abc', 0), '');
  assert.equal(fit('ab', 4), 'ab  ');
  assert.equal(printable('a\u001b[2Jb\u202ec\n'), 'a·[2Jb·c·');
});

test('rates are over full seconds; seconds without a reading share what came in them', () => {
  const rates = createRates(0);
  assert.equal(rates.reading(500, 50).perSecond, 100);
  assert.deepEqual(rates.reading(1000, 200).history, [200]);
  assert.deepEqual(rates.reading(3000, 1000).history, [200, 400, 400]);
  const later = rates.reading(4000, 1000);
  assert.deepEqual(later.history, [200, 400, 400, 0]);
  assert.equal(Math.round(later.perSecond), 267);
  for (let second = 5; second < 100; second++) rates.reading(second * 1000, 1000);
  assert.equal(rates.reading(100_000, 1000).history.length, 60);
});
