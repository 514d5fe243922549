import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reach } from '../../../../src/commands/world/reach.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

function deps() {
  return { clock: new FakeClock(), random: seeded(1), telemetry: new RecordingTelemetry() };
}

test('a dependency that comes up a moment later is no failure', async () => {
  const world = deps();
  let calls = 0;
  const answer = await world.clock.run(
    reach(world, 'registry', async () => {
      if (++calls < 4) throw new SluiceError('registry-unavailable', 'refused');
      return 'up';
    }),
  );
  assert.equal(answer, 'up');
  assert.deepEqual(world.telemetry.eventsNamed('start-waits')[0], { what: 'registry', reason: 'refused' });
  assert.equal(world.clock.timers, 0);
});

test('one that stays away is an error within the half minute; one that refuses, at once', async () => {
  const world = deps();
  const away = reach(world, 'registry', () => Promise.reject(new SluiceError('registry-unavailable', 'refused')));
  await assert.rejects(world.clock.run(away), { code: 'registry-unavailable' });
  const tookMs = world.clock.monotonicMs();
  assert.ok(tookMs >= 30_000 && tookMs <= 32_000, `${tookMs} ms`);
  const refused = reach(world, 'store', () => Promise.reject(new SluiceError('table-missing', 'no table')));
  await assert.rejects(refused, { code: 'table-missing' });
  assert.equal(world.clock.monotonicMs(), tookMs);
});
