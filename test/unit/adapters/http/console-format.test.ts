import assert from 'node:assert/strict';
import { test } from 'node:test';

/** The page is JavaScript without a build of its own: there is nothing for the compiler to import. */
const FORMAT = String(new URL('../../../../src/adapters/http/console/format.js', import.meta.url));

test('drain time for people: how long, never, or not known yet', async () => {
  const { drain } = await import(FORMAT);
  assert.equal(drain({ drainSeconds: 42, neverDrains: false }), '42 s');
  assert.equal(drain({ drainSeconds: 640, neverDrains: false }), '11 min');
  assert.equal(drain({ drainSeconds: 0, neverDrains: false }), '0 s');
  assert.equal(drain({ drainSeconds: null, neverDrains: true }), 'never');
  assert.equal(drain({ drainSeconds: null, neverDrains: false }), '–');
});
