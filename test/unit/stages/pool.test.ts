import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack, Pool } from '../../../src/stages/pool.ts';
import { frameOf } from '../../fixtures/frames.ts';

const ORIGIN = { topic: 't', partition: 0, epoch: 1 };
const frame = (): ReturnType<typeof frameOf> => frameOf(ORIGIN, [{ offset: 0 }]);

function poolOf(): { readonly pool: Pool<{ readonly records: number }>; readonly made: number[] } {
  const made: number[] = [];
  const pool = new Pool((records) => {
    made.push(records);
    return { records };
  });
  return { pool, made };
}

test('what a frame was lent is nobody else’s until it is given back, and then the next one’s', () => {
  const { pool, made } = poolOf();
  const [one, other, third] = [frame(), frame(), frame()];
  const first = pool.lend(one, 512);
  const second = pool.lend(other, 512);
  const again = pool.lend(one, 512);
  assert.equal(new Set([first, second, again]).size, 3, 'a second loan of a frame is another one');
  giveBack(other);
  assert.equal(pool.lend(third, 500), second);
  giveBack(one);
  giveBack(one);
  assert.deepEqual(new Set([pool.lend(other, 512), pool.lend(other, 512)]), new Set([first, again]), 'given back once');
  assert.equal(made.length, 3);
});

test('it is large enough, by a quarter too large at most beyond the smallest, and of another size is another', () => {
  const { pool } = poolOf();
  for (let count = 0; count < 5_000; count += count < 300 ? 1 : 61) {
    const { records } = pool.lend(frame(), count);
    assert.ok(records >= count && records <= Math.max(16, count + 16, count * 1.25), `${records} for ${count}`);
  }
  const small = frame();
  const lent = pool.lend(small, 10);
  giveBack(small);
  assert.notEqual(pool.lend(frame(), 512), lent);
});

test('a pool keeps a bounded amount of memory', () => {
  const { pool, made } = poolOf();
  const frames = Array.from({ length: 100 }, frame);
  for (const each of frames) pool.lend(each, 1_024);
  for (const each of frames) giveBack(each);
  for (const each of frames) pool.lend(each, 1_024);
  assert.equal(made.length, 100 + 36);
});
