import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linger, type Lingering } from '../../../../src/stages/delivery/linger.ts';
import { stageDeps } from '../../../fixtures/stage-deps.ts';

const LINGER_MS = 10;

function start(names: string) {
  const { clock } = stageDeps();
  const startedMs = clock.monotonicMs();
  const left: string[] = [];
  const dense = new Set<string>();
  const linger = new Linger(clock, { sparseMs: LINGER_MS, denseMs: 4 * LINGER_MS });
  const [a, b, c] = [...names].map(
    (name): Lingering => ({
      get isDense() {
        return dense.has(name);
      },
      expire: () => left.push(`${name}${clock.monotonicMs() - startedMs}`),
    }),
  );
  return { clock, linger, left, dense, a, b, c };
}

test('who has lingered takes along what waits', async () => {
  const { clock, linger, left, a, b, c } = start('abc');
  linger.arm(a);
  await clock.advance(4);
  linger.arm(b);
  linger.arm(a);
  await clock.advance(5);
  assert.deepEqual(left, []);
  linger.arm(c);
  await clock.advance(1);
  assert.deepEqual(left, ['a10', 'b10', 'c10']);
  await clock.advance(100);
  assert.equal(left.length, 3, 'once');
  assert.equal(clock.timers, 0);
});

test('what leaves full takes nobody along, and nobody waits longer for it', async () => {
  const { clock, linger, left, a, b } = start('ab');
  linger.arm(a);
  await clock.advance(3);
  linger.arm(b);
  linger.disarm(a);
  await clock.advance(9);
  assert.deepEqual(left, []);
  linger.arm(a);
  await clock.advance(1);
  assert.deepEqual(left, ['b13', 'a13']);
  assert.equal(clock.timers, 0);
});

test('where all have left full, the timer finds nobody, and ends', async () => {
  const { clock, linger, left, a } = start('a');
  linger.arm(a);
  linger.disarm(a);
  await clock.advance(LINGER_MS);
  assert.deepEqual(left, []);
  assert.equal(clock.timers, 0);
  linger.arm(a);
  await clock.advance(LINGER_MS);
  assert.deepEqual(left, ['a20']);
});

test('what is dense waits on, to be full, while the others leave; not for ever', async () => {
  const { clock, linger, left, dense, a, b, c } = start('abc');
  linger.arm(a);
  linger.arm(b);
  dense.add('a');
  await clock.advance(LINGER_MS);
  assert.deepEqual(left, ['b10']);
  await clock.advance(5);
  linger.arm(c);
  await clock.advance(9);
  assert.deepEqual(left, ['b10'], 'c has not waited long enough, and a is dense');
  await clock.advance(1);
  assert.deepEqual(left, ['b10', 'c25']);
  await clock.advance(15);
  assert.deepEqual(left, ['b10', 'c25', 'a40']);
  assert.equal(clock.timers, 0);
});

test('what is dense and young is not taken along; what is not dense is, by one that has waited longest', async () => {
  const { clock, linger, left, dense, a, b, c } = start('abc');
  dense.add('a').add('b');
  linger.arm(a);
  await clock.advance(35);
  linger.arm(b);
  linger.arm(c);
  await clock.advance(5);
  assert.deepEqual(left, ['a40', 'c40']);
  await clock.advance(35);
  assert.deepEqual(left, ['a40', 'c40', 'b75']);
});
