import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Credit } from '../../src/kernel/credit.ts';

/** Credit against a plain model of a first come, first served semaphore over two measures. */
const MAX = { maxRecords: 10, maxBytes: 100 };

interface Ask {
  readonly id: number;
  readonly records: number;
  readonly bytes: number;
  readonly abort: AbortController;
}

const ask = fc.record({ records: fc.nat(MAX.maxRecords), bytes: fc.nat(MAX.maxBytes) });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), ask, pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('try' as const), ask, pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('give' as const), ask, pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), ask, pick: fc.nat() }) },
);

test('never more than the limits; first come, first served; an abort takes nothing and lets the next one through', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), async (steps) => {
      const credit = new Credit(MAX);
      const held: Ask[] = [];
      let queue: Ask[] = [];
      const granted: number[] = [];
      const expected: number[] = [];
      const sum = (of: 'records' | 'bytes'): number => held.reduce((total, each) => total + each[of], 0);
      const fits = (each: Ask): boolean =>
        sum('records') + each.records <= MAX.maxRecords && sum('bytes') + each.bytes <= MAX.maxBytes;
      const serve = (): void => {
        for (let first = queue.shift(); first !== undefined; first = queue.shift()) {
          if (!fits(first)) return void queue.unshift(first);
          held.push(first);
          expected.push(first.id);
        }
      };
      for (const [id, { do: act, ask: wanted, pick }] of steps.entries()) {
        if (act === 'take') {
          const mine: Ask = { id, ...wanted, abort: new AbortController() };
          queue.push(mine);
          serve();
          credit.take(wanted.records, wanted.bytes, mine.abort.signal).then((ok) => {
            granted.push(ok ? id : -1 - id);
          });
        } else if (act === 'try') {
          const mine: Ask = { id, ...wanted, abort: new AbortController() };
          const possible = queue.length === 0 && fits(mine);
          assert.equal(credit.tryTake(wanted.records, wanted.bytes), possible, 'nobody is overtaken');
          if (possible) held.push(mine);
        } else if (act === 'give' && held.length > 0) {
          const [back] = held.splice(pick % held.length, 1);
          serve();
          credit.give(back.records, back.bytes);
        } else if (act === 'abort' && queue.length + held.length > 0) {
          // Of somebody who waits, or of somebody who has it already: that changes nothing.
          const whom = [...queue, ...held][pick % (queue.length + held.length)];
          const waited = queue.includes(whom);
          queue = queue.filter((each) => each !== whom);
          if (waited) expected.push(-1 - whom.id);
          serve();
          whom.abort.abort();
        }
        await Promise.resolve();
        assert.deepEqual([credit.records, credit.bytes], [sum('records'), sum('bytes')]);
        assert.ok(credit.records <= MAX.maxRecords && credit.bytes <= MAX.maxBytes);
        assert.equal(credit.waiting, queue.length);
        assert.deepEqual(granted, expected);
      }
      // No starvation: as credit comes back, everybody who waits gets it, in order.
      for (let back = held.shift(); back !== undefined; back = held.shift()) {
        serve();
        credit.give(back.records, back.bytes);
        await Promise.resolve();
        assert.deepEqual(granted, expected);
      }
      assert.deepEqual([credit.records, credit.bytes, credit.waiting], [0, 0, 0]);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('a long-lived signal keeps no reference to requests that waited with it', async () => {
  const credit = new Credit(MAX);
  const signal = new AbortController().signal;
  let listeners = 0;
  const counted = {
    aborted: false,
    addEventListener: (...on: Parameters<AbortSignal['addEventListener']>) => {
      listeners++;
      signal.addEventListener(...on);
    },
    removeEventListener: (...off: Parameters<AbortSignal['removeEventListener']>) => {
      listeners--;
      signal.removeEventListener(...off);
    },
  } as unknown as AbortSignal;
  await credit.take(10, 0, counted);
  for (let n = 0; n < 50; n++) {
    const next = credit.take(10, 0, counted);
    credit.give(10, 0);
    assert.equal(await next, true);
  }
  assert.equal(listeners, 0);
});

test('a request beyond the whole credit is refused at once; giving back too much is an error', async () => {
  const credit = new Credit(MAX);
  assert.equal(credit.fits(11, 0), false);
  assert.throws(() => credit.take(11, 0), /credit of 10 records and 100 bytes cannot grant 11 and 0/);
  assert.throws(() => credit.take(0, 101), RangeError);
  assert.throws(() => credit.give(1, 0), /returned twice/);
  const aborted = AbortSignal.abort();
  const fresh = new Credit(MAX);
  assert.equal(await fresh.take(1, 1, aborted), false);
  assert.deepEqual([fresh.records, fresh.bytes], [0, 0]);
});
