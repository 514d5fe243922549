import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { CodecError, inflate } from '../../../../../src/adapters/kafka/record-batch/compression.ts';
import { crc32c } from '../../../../../src/adapters/kafka/record-batch/crc32c.ts';
import { unlz4 } from '../../../../../src/adapters/kafka/record-batch/lz4.ts';
import { unsnappy } from '../../../../../src/kernel/bytes/snappy.ts';
import { seeded } from '../../../../fixtures/random.ts';

interface Vector {
  readonly bytes: number;
  readonly sha256: string;
  readonly snappy: string;
  readonly xerial: string;
  readonly lz4: string;
  readonly lz4Linked: string;
  readonly lz4Stored: string;
}

/** Made by cramjam 2.14 (Google's snappy) and python-lz4 4.4 (the reference LZ4). */
const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../fixtures/kafka/compressed.json', import.meta.url), 'utf8'),
) as Vector[];
const DECODERS = [
  ['snappy', unsnappy],
  ['xerial', unsnappy],
  ['lz4', unlz4],
  ['lz4Linked', unlz4],
  ['lz4Stored', unlz4],
] as const;
const BOUND = 1 << 20;

const isCodecError = (message: RegExp, beyond: boolean) => (error: unknown) =>
  error instanceof CodecError && message.test(error.message) && error.beyond === beyond;

test('what the reference implementations of snappy and LZ4 compressed comes out as it was', async () => {
  for (const vector of VECTORS) {
    for (const [form, decode] of DECODERS) {
      const bytes = await decode(Buffer.from(vector[form], 'base64'), BOUND);
      assert.equal(bytes.length, vector.bytes, form);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), vector.sha256, form);
    }
  }
});

test('row 20: every codec inflates up to its bound and not beyond; what it did not write is an error with its name', async () => {
  const zeros = VECTORS[4];
  const bombs: readonly (readonly [number, string, Buffer])[] = [
    [1, 'gzip', gzipSync(Buffer.alloc(zeros.bytes))],
    [2, 'snappy', Buffer.from(zeros.snappy, 'base64')],
    [2, 'snappy', Buffer.from(zeros.xerial, 'base64')],
    [3, 'lz4', Buffer.from(zeros.lz4, 'base64')],
    [4, 'zstd', zstdCompressSync(Buffer.alloc(zeros.bytes))],
  ];
  for (const [id, name, bomb] of bombs) {
    assert.equal((await inflate(id, bomb, zeros.bytes)).length, zeros.bytes, name);
    await assert.rejects(inflate(id, bomb, zeros.bytes - 1), isCodecError(/more than 69999 bytes/, true), name);
    await assert.rejects(
      inflate(id, Buffer.from('nonsense'), BOUND),
      isCodecError(new RegExp(`not valid ${name}`), false),
    );
  }
  await assert.rejects(inflate(6, Buffer.alloc(9)), isCodecError(/codec 6/, false));
});

test('row 17: mutated snappy and LZ4 never throw anything but RangeError, nor give more than the bound', async () => {
  const random = seeded(11);
  let read = 0;
  for (let n = 0; n < 20_000; n++) {
    const [form, decode] = DECODERS[n % DECODERS.length];
    const bytes = Buffer.from(VECTORS[Math.floor(random() * 4)][form], 'base64');
    for (let k = Math.floor(random() * 4); k >= 0; k--) {
      if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    const cut = random() < 0.3 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
    try {
      assert.ok((await decode(cut, BOUND)).length <= BOUND);
      read++;
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }
  assert.ok(read > 100, 'some mutations hit literals, and are read');
});

test('the checksum is that of RFC 3720, whatever the alignment', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32), 0, 32), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff), 0, 32), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from('xx123456789yy'), 2, 11), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(0), 0, 0), 0);
});
