import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { murmur3Hex } from '../../../../src/kernel/bytes/murmur3.ts';

test('known texts have their published hashes', () => {
  assert.equal(murmur3Hex(Buffer.alloc(0)), '0'.repeat(32));
  // As the page of mmh3 says of hash_bytes('foo').
  assert.equal(murmur3Hex(Buffer.from('foo')), '6145f501578671e2877dba2be487af7e');
  const fox = Buffer.from('The quick brown fox jumps over the lazy dog');
  assert.equal(murmur3Hex(fox), '6c1b07bc7bbc4be347939ac4a93c437a');
});

test('the same as with 64-bit numbers, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      assert.equal(murmur3Hex(bytes), reference(Buffer.from(bytes)));
    }),
  );
});

const [C1, C2] = [0x87c37b91114253d5n, 0x4cf5ad432745937fn];
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotl = (value: bigint, by: bigint): bigint => u64((value << by) | (u64(value) >> (64n - by)));

function reference(bytes: Buffer): string {
  let [h1, h2] = [0n, 0n];
  const padded = Buffer.concat([bytes, Buffer.alloc(16)]);
  const first = (k: bigint): bigint => u64(rotl(u64(k * C1), 31n) * C2);
  const second = (k: bigint): bigint => u64(rotl(u64(k * C2), 33n) * C1);
  const blocks = bytes.length >> 4;
  for (let at = 0; at < blocks * 16; at += 16) {
    h1 = u64((rotl(h1 ^ first(padded.readBigUInt64LE(at)), 27n) + h2) * 5n + 0x52dce729n);
    h2 = u64((rotl(h2 ^ second(padded.readBigUInt64LE(at + 8)), 31n) + h1) * 5n + 0x38495ab5n);
  }
  h2 ^= second(padded.readBigUInt64LE(blocks * 16 + 8));
  h1 ^= first(padded.readBigUInt64LE(blocks * 16));
  const mix = (h: bigint): bigint => {
    let k = u64((h ^ (h >> 33n)) * 0xff51afd7ed558ccdn);
    k = u64((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n);
    return k ^ (k >> 33n);
  };
  h1 = u64((h1 ^ BigInt(bytes.length)) + (h2 ^ BigInt(bytes.length)));
  h2 = u64((h2 ^ BigInt(bytes.length)) + h1);
  [h1, h2] = [mix(h1), mix(h2)];
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(h1, 0);
  out.writeBigUInt64LE(h2, 8);
  return out.toString('hex');
}
