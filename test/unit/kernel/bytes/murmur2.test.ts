import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { murmur2, partitionOfKey } from '../../../../src/kernel/bytes/murmur2.ts';

/** Keys and hashes as org.apache.kafka.common.utils.UtilsTest has them. */
const KNOWN: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

for (const [key, hash] of KNOWN) {
  test(`the hash of "${key}" is that of the Java client`, () => {
    const bytes = Buffer.from(key);
    assert.equal(murmur2(bytes, 0, bytes.length), hash);
  });
}

test('any bytes, anywhere in an arena, hash as the stock client hashes them', () => {
  const theirs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2') as (
    key: Buffer,
  ) => number;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat({ max: 9 }), (key, before) => {
      const arena = Buffer.concat([Buffer.alloc(before, 0xff), key, Buffer.alloc(3, 0xff)]);
      assert.equal(murmur2(arena, before, before + key.length), theirs(Buffer.from(key)));
    }),
  );
});

test('a key goes to one of the partitions, whatever the sign of its hash', () => {
  const bytes = Buffer.from('21');
  assert.equal(partitionOfKey(bytes, 0, 2, 1_000), (-973932308 & 0x7fffffff) % 1_000);
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 500 }), (key, partitions) => {
      const partition = partitionOfKey(key, 0, key.length, partitions);
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions);
    }),
  );
});
