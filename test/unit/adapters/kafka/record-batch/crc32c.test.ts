import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, sliced } from '../../../../../src/adapters/kafka/record-batch/crc32c.ts';

test('the check value of CRC-32C, short and long', () => {
  assert.equal(crc32c(Buffer.from('xx123456789x'), 2, 11), 0xe3069283);
  // 32 bytes of zeros, RFC 3720 B.4.
  assert.equal(crc32c(Buffer.alloc(32), 0, 32), 0x8a9136aa);
});

test('property: native code and JavaScript agree, wherever in the bytes and however long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), fc.nat(300), (raw, from) => {
      const bytes = Buffer.from(raw);
      const start = Math.min(from, bytes.length);
      assert.equal(crc32c(bytes, start, bytes.length), sliced(bytes, start, bytes.length));
    }),
  );
});
