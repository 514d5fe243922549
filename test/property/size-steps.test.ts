import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sizeFor } from '../../src/kernel/size-steps.ts';

test('a size fits what was asked for, exceeds it by a quarter or the least step at most, and is few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1 << 29 }), fc.constantFrom(1, 16, 64), (count, least) => {
      const size = sizeFor(count, least);
      assert.ok(size >= count && size - count <= Math.max(least, count / 4), `${size} for ${count}`);
      assert.equal(sizeFor(size, least), size, 'a size is its own size');
    }),
  );
  const sizes = new Set(Array.from({ length: 4_096 }, (_, count) => sizeFor(count, 16)));
  assert.ok(sizes.size <= 32, `${sizes.size} sizes up to 4,096`);
});
