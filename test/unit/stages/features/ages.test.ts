import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { FeatureAges } from '../../../../src/stages/features/ages.ts';
import { createTelemetry, type HistogramSeries } from '../../../../src/telemetry/metrics.ts';
import { seeded } from '../../../fixtures/random.ts';

const VIEW = { view: 'v' };

function series(
  tell: (histogram: ReturnType<ReturnType<typeof createTelemetry>['histogram']>) => void,
): HistogramSeries {
  const telemetry = createTelemetry({ clock: createSystemClock(), log: { log: () => undefined } });
  tell(telemetry.histogram('sluice_feature_age_seconds', VIEW));
  return (telemetry.series('sluice_feature_age_seconds') as readonly HistogramSeries[])[0];
}

test('a histogram has the same of ages told together as of each alone, at the bounds of its buckets too', () => {
  const random = seeded(8);
  const ages = new FeatureAges();
  for (let frame = 0; frame < 50; frame++) {
    const one = frame % 2 === 0 ? 10 ** (random() * 11) : 86_400_000;
    const some = Array.from({ length: 200 }, () => (random() < 0.7 ? one : Math.floor(10 ** (random() * 11))));
    some.push(0, 1, 1_000, 1_001, 86_400_000, 86_400_001, 7_776_000_000, 7_776_000_001, 1e13);
    const together = series((histogram) => {
      for (const age of some) ages.add(age);
      ages.tell(histogram);
    });
    const alone = series((histogram) => {
      for (const age of some) histogram.observe(age / 1_000);
    });
    assert.deepEqual(together.counts, alone.counts);
    assert.equal(together.count, alone.count);
    assert.ok(Math.abs(together.sum - alone.sum) <= 1e-9 * alone.sum, 'the sum too');
  }
});
