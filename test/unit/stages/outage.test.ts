import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conditions } from '../../../src/kernel/conditions.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { persist } from '../../../src/stages/outage.ts';
import { stageDeps } from '../../fixtures/stage-deps.ts';

const STORE = { what: 'store route', kind: 'store' } as const;

test('an outage is over when the dependency answers, and not when the pipeline gives up on it', async () => {
  for (const [givenUp, said] of [
    [false, ['outage', 'outage-over']],
    [true, ['outage']],
  ] as const) {
    const conditions = new Conditions();
    const deps = { ...stageDeps(), conditions };
    let away = true;
    const asked = persist(deps, STORE, async () => {
      if (away) throw new SluiceError('store-unavailable', 'no route');
      return 'row';
    });
    const ended = asked.catch((error: SluiceError) => error.code);
    await deps.clock.advance(500);
    if (givenUp) deps.giveUp();
    away = givenUp;
    assert.equal(await deps.clock.run(ended), givenUp ? 'store-unavailable' : 'row');
    const names = deps.telemetry.events.map(({ name }) => name);
    assert.deepEqual(names, said);
    assert.equal(conditions.describe(), '', 'nobody waits for it any more');
  }
});
