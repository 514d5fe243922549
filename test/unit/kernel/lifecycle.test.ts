import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conditions } from '../../../src/kernel/conditions.ts';
import { Lifecycle, type LifecycleEvent, type State } from '../../../src/kernel/lifecycle.ts';

const EVENTS: readonly LifecycleEvent[] = ['ready', 'stop', 'done', 'fail'];
/** How each state is reached, and where each event leads from it; `-`: refused. */
const TABLE: Readonly<Record<State, { readonly by: readonly LifecycleEvent[]; readonly next: readonly string[] }>> = {
  starting: { by: [], next: ['running', 'draining', '-', 'failed'] },
  running: { by: ['ready'], next: ['-', 'draining', '-', 'failed'] },
  draining: { by: ['stop'], next: ['-', '-', 'stopped', 'failed'] },
  stopped: { by: ['stop', 'done'], next: ['-', '-', '-', '-'] },
  failed: { by: ['fail'], next: ['-', '-', '-', '-'] },
};

test('every event in every state: moves as the table says, or is refused and changes nothing', () => {
  for (const [state, { by, next }] of Object.entries(TABLE)) {
    EVENTS.forEach((event, n) => {
      const lifecycle = new Lifecycle();
      for (const step of by) assert.equal(lifecycle.on(step), true);
      assert.equal(lifecycle.state, state);
      assert.equal(lifecycle.on(event), next[n] !== '-', `${event} in ${state}`);
      assert.equal(lifecycle.state, next[n] === '-' ? state : next[n]);
    });
  }
});

test('conditions say what is waited for, and why, for as long as that is so', () => {
  const conditions = new Conditions();
  assert.equal(conditions.describe(), '');
  conditions.set('store route', 'deadline exceeded');
  conditions.set('broker out/3', 'no leader');
  conditions.set('store route', 'unavailable');
  assert.equal(conditions.describe(), 'store route: unavailable; broker out/3: no leader');
  assert.deepEqual([conditions.clear('store route'), conditions.clear('store route')], [true, false]);
  assert.deepEqual([conditions.has('store route'), conditions.has('broker out/3')], [false, true]);
});

test('a condition is over when the last one who waits for it has what it waits for', () => {
  let over = 0;
  const conditions = new Conditions(() => over++);
  const [one, other] = [{}, {}];
  conditions.set('store route', 'unavailable', one);
  conditions.set('store route', 'deadline exceeded', other);
  assert.equal(conditions.describe(), 'store route: deadline exceeded');
  assert.equal(conditions.clear('store route', other), false);
  assert.deepEqual([conditions.describe(), over], ['store route: unavailable', 0]);
  assert.equal(conditions.clear('store route', other), false, 'who waits no more clears nothing twice');
  assert.equal(conditions.clear('store route', one), true);
  assert.deepEqual([conditions.none, over], [true, 1]);
});
