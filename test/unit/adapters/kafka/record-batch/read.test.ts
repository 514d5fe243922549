import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { CompressionTypes } from 'kafkajs';
import type { FetchedMessage } from '../../../../../src/adapters/kafka/client/internals.ts';
import { installCodecs, MAX_INFLATED_BYTES } from '../../../../../src/adapters/kafka/record-batch/compression.ts';
import { singly } from '../../../../../src/adapters/kafka/record-batch/messages.ts';
import { decodeBatches, freshBudget } from '../../../../../src/adapters/kafka/record-batch/read.ts';
import { decodeHeaders } from '../../../../../src/kernel/headers.ts';
import { batchOf, rawBatch, sealed, type Written } from '../../../../fixtures/kafka/batches.ts';
import { seeded } from '../../../../fixtures/random.ts';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { offset: number };
const stockDecode = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<{ records: FetchedMessage[] }>;

const decode = async (...batches: Buffer[]): Promise<readonly FetchedMessage[]> =>
  singly(await decodeBatches(Buffer.concat(batches), freshBudget()));
const offsets = (messages: readonly FetchedMessage[]): number[] => messages.map(({ offset }) => Number(offset));
const plain = ({ offset, timestamp, key, value, headers, isControlRecord }: FetchedMessage) => ({
  ...{ offset, timestamp, key, value, headers, isControlRecord },
});
const at = (batch: Buffer, baseOffset: number): Buffer => {
  const moved = Buffer.from(batch);
  moved.writeBigInt64BE(BigInt(baseOffset), 0);
  return moved;
};

const RECORDS: readonly Written[] = [
  {
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: { a: Buffer.from('1'), b: [Buffer.from('2'), Buffer.from('3')] },
  },
  { value: Buffer.alloc(300, 7), timestamp: 77 },
  { key: Buffer.alloc(0), value: null, timestamp: 2_000_000_000_000 },
];

test('a batch is read as the stock client reads it, whatever its codec', async () => {
  for (const compression of [0, 1]) {
    const batch = at(await batchOf(RECORDS, { compression }), 40);
    const stock = await stockDecode(new Decoder(batch));
    assert.deepEqual((await decode(batch)).map(plain), stock.records.map(plain));
  }
  const [first] = await decode(await batchOf(RECORDS));
  assert.deepEqual(
    decodeHeaders(first.headerBlock as Buffer).map(({ name, value }) => `${name}=${value}`),
    ['a=1', 'b=2', 'b=3'],
  );
});

test('random batches are read as the stock client reads them: headers, nulls, codecs, times of the broker, gaps between them', async () => {
  installCodecs();
  const bytes = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
  const headers = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.uint8Array({ maxLength: 20 }), {
    maxKeys: 3,
  });
  const record = fc.record({ key: bytes, value: bytes, headers, timestamp: fc.nat(2 ** 42) });
  const batch = fc.record({
    records: fc.array(record, { minLength: 1, maxLength: 8 }),
    compression: fc.constantFrom(0, 0, CompressionTypes.GZIP, CompressionTypes.ZSTD),
    appendedAt: fc.option(fc.nat(2 ** 42), { nil: undefined }),
    gap: fc.nat(3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
      const written: Buffer[] = [];
      const expected: FetchedMessage[] = [];
      let offset = 0;
      for (const { records, compression, appendedAt, gap } of batches) {
        offset += gap;
        const list = records.map((one) => ({
          ...one,
          key: one.key && Buffer.from(one.key),
          value: one.value && Buffer.from(one.value),
          headers: Object.fromEntries(
            Object.entries(one.headers)
              .filter(([name]) => !(name in {})) // which the stock client takes for there already
              .map(([name, value]) => [name, Buffer.from(value)]),
          ),
        }));
        const one = at(await batchOf(list, { compression }), offset);
        if (appendedAt !== undefined) {
          one.writeInt16BE(one.readInt16BE(21) | 8, 21);
          one.writeBigInt64BE(BigInt(appendedAt), 35);
          sealed(one);
        }
        offset += records.length;
        written.push(one);
        expected.push(...(await stockDecode(new Decoder(one))).records);
      }
      assert.deepEqual((await decode(...written)).map(plain), expected.map(plain));
    }),
    { numRuns: 200 },
  );
});

test('row 17: a batch that cannot be read comes without bodies, an offset each, and what lies behind it is read', async () => {
  const good = await batchOf([{ value: Buffer.from('a') }, { value: Buffer.from('b') }, { value: Buffer.from('c') }]);
  const damaged = Buffer.from(good);
  damaged[damaged.length - 3] ^= 1;
  const body = good.subarray(61);
  const broken: readonly (readonly [string, Buffer, RegExp])[] = [
    ['a flipped bit', damaged, /checksum/],
    ['an unknown format', sealed(Object.assign(Buffer.from(good), { 16: 3 })), /format 3/],
    ['an unknown codec', rawBatch(body, { count: 3, attributes: 6 }), /codec 6/],
    ['bytes that are not gzip', rawBatch(Buffer.from('nonsense'), { count: 3, attributes: 1 }), /not valid gzip/],
    ['bytes that are not lz4', rawBatch(Buffer.from('nonsense'), { count: 3, attributes: 3 }), /not valid lz4/],
    ['a record cut off', rawBatch(body.subarray(0, -1), { count: 3 }), /outside it/],
    ['records left over', rawBatch(Buffer.concat([body, body]), { count: 3 }), /left over|order/],
    ['a count that lies', rawBatch(body, { count: 3_000, lastOffsetDelta: 2 }), /more records than/],
    ['a record that leads back', rawBatch(Buffer.alloc(24), { count: 3 }), /outside it/],
  ];
  for (const [what, batch, why] of broken) {
    const messages = await decode(at(good, 0), at(batch, 3), at(good, 6));
    const middle = messages.slice(3, -3);
    assert.deepEqual(offsets(messages.slice(-3)), [6, 7, 8], what);
    assert.ok(
      middle.every(({ value, key, unread }) => value === null && key === null && unread !== undefined),
      what,
    );
    assert.match(middle[0].unread?.text ?? '', why, what);
    assert.equal(middle[0].unread?.why, 'batch-unreadable', what);
    assert.deepEqual(offsets(middle), what === 'a count that lies' ? [3] : [3, 4, 5], what);
    assert.equal(middle.at(-1)?.batchContext?.lastOffsetDelta, 2, `${what}: the way past it is known`);
  }
});

test('row 17: a header that lies about its end makes nobody skip what follows it', async () => {
  const good = await batchOf([{ value: Buffer.from('a') }, { value: Buffer.from('b') }]);
  const endOfLast = (messages: readonly FetchedMessage[]): number => {
    const { batchContext } = messages.at(-1) as FetchedMessage;
    return Number(batchContext?.firstOffset) + (batchContext?.lastOffsetDelta ?? 0);
  };
  // With a checksum that fits: what follows cannot be read this time, its beginning can.
  const liar = rawBatch(good.subarray(61), { count: 2, lastOffsetDelta: 500 });
  const cutOff = at(good, 2).subarray(0, 20);
  const read = await decode(liar, cutOff);
  assert.deepEqual([offsets(read), endOfLast(read)], [[0, 1], 1]);
  // Damaged: its records stand in front of what follows.
  const damaged = Buffer.from(liar);
  damaged[damaged.length - 3] ^= 1;
  assert.deepEqual(offsets(await decode(damaged, at(good, 2))), [0, 1, 2, 3]);
  const rest = await decode(at(good, 0), at(damaged, 2));
  assert.deepEqual([offsets(rest), endOfLast(rest)], [[0, 1], 1], 'the next fetch shows whether something follows it');
  // What compaction took from the end of a batch is stepped over all the same.
  assert.equal(endOfLast(await decode(at(liar, 0), at(good, 501).subarray(0, 20))), 500);
});

test('row 17: a batch that says it begins where it cannot, goes back to nothing that was read', async () => {
  const good = await batchOf([{ value: Buffer.from('a') }, { value: Buffer.from('b') }]);
  for (const lie of [0, 11, -1, 2 ** 60]) {
    const messages = await decode(at(good, 10), at(good, lie), at(good, 14));
    assert.deepEqual(offsets(messages), [10, 11, 12, 13, 14, 15], `${lie}`);
    assert.deepEqual(
      messages.map(({ unread }) => unread?.why),
      [undefined, undefined, 'batch-unreadable', 'batch-unreadable', undefined, undefined],
    );
  }
});

test('row 20: a bomb comes by reference, one of many small ones waits for the next fetch, and a response is bounded', async () => {
  const bomb = gzipSync(Buffer.alloc(MAX_INFLATED_BYTES + 1));
  const messages = await decode(
    rawBatch(bomb, { count: 2, attributes: 1 }),
    at(rawBatch(bomb, { count: 2, attributes: 1 }), 2),
  );
  assert.deepEqual(
    messages.map(({ unread }) => unread?.why),
    ['too-large', 'too-large'],
    'the second is judged when it comes first',
  );
  const mebi = await batchOf([{ value: Buffer.alloc(4 << 20) }], { compression: 1 });
  const many = await decode(...Array.from({ length: 40 }, (_, i) => at(mebi, i)));
  const held = many.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  assert.ok(many.length > 4 && held <= MAX_INFLATED_BYTES / 2 + (4 << 20), `${held} bytes of 160 MiB`);
  assert.deepEqual(offsets(many), [...many.keys()], 'in order, from the first: the rest is fetched again');
});

test('a batch of 150,000 records is read; one of more than is to be believed stands for all of it', async () => {
  const record = Buffer.from([12, 0, 0, 0, 1, 1, 0]);
  const body = Buffer.concat(
    Array.from({ length: 150_000 }, (_, i) => {
      const delta =
        i < 64
          ? [i * 2]
          : i < 8_192
            ? [((2 * i) & 127) | 128, (2 * i) >> 7]
            : [((2 * i) & 127) | 128, (((2 * i) >> 7) & 127) | 128, (2 * i) >> 14];
      return Buffer.from([10 + 2 * delta.length, 0, 0, ...delta, 1, 1, 0]);
    }),
  );
  assert.equal((await decode(rawBatch(body, { count: 150_000 }))).length, 150_000);
  const [only, ...others] = await decode(rawBatch(record, { count: 2_000_000_000, lastOffsetDelta: 250_000 }));
  assert.deepEqual([only.unread?.why, others.length, only.batchContext?.lastOffsetDelta], ['too-large', 0, 250_000]);
});

test('an empty batch that compaction left is a way to go, and no record', async () => {
  const [only] = await decode(rawBatch(Buffer.alloc(0), { count: 0, lastOffsetDelta: 9, baseOffset: 20 }));
  assert.deepEqual([only.isControlRecord, only.offset], [true, '29']);
});

test('row 21: a record of a megabyte of headers costs no more than its bytes', async () => {
  const count = 400_000;
  const name = Buffer.alloc(count * 2);
  for (let i = 0; i < count; i++) name.set([0, 1], 2 * i); // an empty name, no value
  const varint = (value: number): Buffer => {
    const bytes: number[] = [];
    for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
      bytes.push(rest > 127 ? (rest % 128) | 128 : rest);
      if (rest <= 127) return Buffer.from(bytes);
    }
  };
  const inside = Buffer.concat([Buffer.from([0, 0, 0, 1, 1]), varint(count), name]);
  const started = process.cpuUsage().user;
  const [only] = await decode(rawBatch(Buffer.concat([varint(inside.length), inside])));
  assert.equal(only.unread, undefined);
  assert.equal(only.headerBlock?.length, inside.length - 5);
  // Put together in quadratic time, as the stock client does, this takes minutes.
  assert.ok(process.cpuUsage().user - started < 5_000_000);
});

test('row 17: whatever is done to its bytes, a fetch is read, in order, and nothing is thrown', async () => {
  const random = seeded(5);
  const originals = [await batchOf(RECORDS), await batchOf(RECORDS, { compression: 1 })];
  let unreadable = 0;
  for (let n = 0; n < 5_000; n++) {
    const batches = Array.from({ length: 3 }, (_, i) => at(originals[Math.floor(random() * 2)], i * 3));
    const fetch = Buffer.concat(batches);
    for (let k = Math.floor(random() * 5); k >= 0; k--)
      fetch[Math.floor(random() * fetch.length)] = Math.floor(random() * 256);
    // Half of them with checksums that fit, as a producer that means it would send them.
    if (random() < 0.5) {
      let from = 0;
      for (const { length } of batches) {
        sealed(fetch.subarray(from, from + length));
        from += length;
      }
    }
    const messages = await singly(await decodeBatches(fetch, freshBudget()));
    unreadable += messages.filter(({ unread }) => unread !== undefined).length;
    assert.ok(messages.length < 100_003);
    const found = offsets(messages);
    if (found[0] >= 0 && found[0] < 2 ** 50)
      assert.ok(
        found.every((offset, i) => i === 0 || offset > found[i - 1]),
        `${found}`,
      );
  }
  assert.ok(unreadable > 1_000);
});
