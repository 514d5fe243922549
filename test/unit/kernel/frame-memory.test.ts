import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEAD_LETTERED } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import { FrameBuilder } from '../../../src/kernel/frame-builder.ts';
import { FramePool } from '../../../src/kernel/frame-memory.ts';
import { seeded } from '../../../src/kernel/random.ts';

const KEEP_BYTES = 8 * 1024 * 1024;
const ORIGIN = { topic: 't', partition: 0, epoch: 1 };

function frameOf(pool: FramePool | undefined, values: readonly string[]): Frame {
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  const builder = new FrameBuilder(ORIGIN, values.length, bytes, pool);
  values.forEach((value, i) => {
    builder.append(i, 1_000 + i, null, Buffer.from(value), null);
  });
  return builder.build(values.length, 0, 0);
}

const textsOf = (frame: Frame): string[] =>
  Array.from(frame.offsets, (_, i) => frame.arena.toString('utf8', frame.valueStart[i], frame.valueEnd[i]));

test('memory that was given back is lent again, and shows nothing of the frame before', () => {
  const pool = new FramePool(KEEP_BYTES);
  const first = frameOf(pool, ['one', 'two', 'three']);
  decide(first, 1, DEAD_LETTERED, 3);
  first.schemaId[2] = 7;
  first.giveBack?.();
  const second = frameOf(pool, ['abcd', '', 'efghi']);
  assert.equal(second.fate.buffer, first.fate.buffer, 'the same memory');
  assert.deepEqual(textsOf(second), ['abcd', '', 'efghi']);
  assert.deepEqual([...second.fate], [0, 0, 0]);
  assert.deepEqual([...second.reason], [0, 0, 0]);
  assert.deepEqual([...second.schemaId], [-1, -1, -1]);
  assert.deepEqual([...second.keyStart], [-1, -1, -1]);
  assert.equal(second.bytes, 9, 'as the credit was charged, whatever the arena is');
  assert.equal(second.arena.length, 9);
});

test('frames under way at a time have memory of their own', () => {
  const pool = new FramePool(KEEP_BYTES);
  const frames = [frameOf(pool, ['a']), frameOf(pool, ['b'])];
  for (const frame of frames) frame.giveBack?.();
  const later = [frameOf(pool, ['c']), frameOf(pool, ['d']), frameOf(pool, ['e'])];
  assert.deepEqual(later.flatMap(textsOf), ['c', 'd', 'e']);
  assert.equal(new Set(later.map(({ arena }) => arena.buffer)).size, 3);
});

test('a frame that needs a larger arena, or other columns, has memory that fits it', () => {
  const pool = new FramePool(KEEP_BYTES);
  frameOf(pool, ['a']).giveBack?.();
  assert.deepEqual(textsOf(frameOf(pool, ['a'.repeat(1_000)])), ['a'.repeat(1_000)]);
  const two = frameOf(pool, ['x', 'y']);
  assert.equal(two.fate.length, 2);
  assert.deepEqual(textsOf(two), ['x', 'y']);
});

test('a small frame never holds the arena of a large one: the credit counts its own bytes only', () => {
  const pool = new FramePool(KEEP_BYTES);
  frameOf(pool, ['a'.repeat(400_000)]).giveBack?.();
  const small = frameOf(pool, ['b'.repeat(100)]);
  assert.ok(small.arena.buffer.byteLength <= 134, `${small.arena.buffer.byteLength} bytes are held for 100`);
});

test('what is kept is bounded: no large arena, and not more of any than 8 MiB', () => {
  const pool = new FramePool(KEEP_BYTES);
  const large = frameOf(pool, ['a'.repeat(1_100_000)]);
  large.giveBack?.();
  assert.notEqual(frameOf(pool, ['b']).fate.buffer, large.fate.buffer);
  const many = Array.from({ length: 40 }, () => frameOf(pool, ['c'.repeat(400_000)]));
  for (const frame of many) frame.giveBack?.();
  const again = Array.from({ length: 40 }, () => frameOf(pool, ['c'.repeat(400_000)]));
  const kept = again.filter(({ fate }) => many.some((frame) => frame.fate.buffer === fate.buffer)).length;
  assert.ok(kept > 0 && kept * 400_000 <= KEEP_BYTES, `${kept} were kept`);
});

test('a frame without a pool gives nothing back, and one that is filled beyond its size is refused', () => {
  assert.equal(frameOf(undefined, ['a']).giveBack, undefined);
  const pool = new FramePool(KEEP_BYTES);
  frameOf(pool, ['abcdefgh']).giveBack?.();
  const builder = new FrameBuilder(ORIGIN, 1, 7, pool);
  builder.append(0, 0, null, Buffer.from('abcdefgh'), null);
  assert.throws(() => builder.build(1, 0, 0), RangeError);
});

test('a backlog of frames of all sizes is worked off in memory that was given back', () => {
  const pool = new FramePool(KEEP_BYTES);
  const random = seeded(7);
  const underWay: Frame[] = [];
  const made = new Set<unknown>();
  const step = (): void => {
    const frame = frameOf(pool, Array<string>(8 + Math.floor(60 * random())).fill('x'.repeat(1_000)));
    made.add(frame.arena.buffer);
    underWay.push(frame);
    if (underWay.length > 100) for (const settled of underWay.splice(0, 50)) settled.giveBack?.();
  };
  for (let n = 0; n < 2_000; n++) step();
  const before = made.size;
  for (let n = 0; n < 2_000; n++) step();
  assert.ok(made.size - before < 40, `${made.size - before} of 2,000 frames had new memory`);
});

test('memory of sizes that nobody asks for any longer makes room', () => {
  const pool = new FramePool(1_000_000);
  const old = Array.from({ length: 10 }, () => frameOf(pool, ['a'.repeat(90_000)]));
  for (const frame of old) frame.giveBack?.();
  for (let n = 0; n < 2; n++)
    for (const frame of [1, 2, 3].map(() => frameOf(pool, ['b'.repeat(300_000)]))) frame.giveBack?.();
  const next = [1, 2, 3].map(() => frameOf(pool, ['b'.repeat(300_000)]).arena.buffer);
  assert.equal(new Set(next).size, 3);
  assert.ok(old.every(({ arena }) => frameOf(pool, ['a'.repeat(90_000)]).arena.buffer !== arena.buffer));
});
