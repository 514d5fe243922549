import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createEntityId } from '../../../../src/adapters/bigtable/feast-keys.ts';
import { encodeFeast, feastFormat } from '../../../../src/adapters/bigtable/feast-values.ts';
import type { FeastEntity } from '../../../../src/kernel/cells/views.ts';

/** Hashes of keys made with struct and mmh3 of Python, as Feast serializes entity keys. */
test('an entity has the name that Feast gives it, in both key versions and sorted by join key', () => {
  const driver: Omit<FeastEntity, 'keyVersion'> = { joinKeys: [{ name: 'driver_id', type: 'int64' }], separator: '' };
  const route: Omit<FeastEntity, 'keyVersion'> = {
    joinKeys: [
      { name: 'origin', type: 'string' },
      { name: 'number', type: 'int32' },
    ],
    separator: '|',
  };
  for (const [entity, key, keyVersion, id] of [
    [driver, '1001', 2, '5b483ef27f6503dc22e8faf55eb4df4b'],
    [driver, '1001', 3, 'f3cfd4a822f245b63975464763babaec'],
    [route, 'Zürich|-7', 2, '8ef03734abc7d81c9debddf618380bdf'],
    [route, 'Zürich|-7', 3, '90b3cce8167892881a244e6afa84cb65'],
  ] as const) {
    assert.equal(createEntityId({ ...entity, keyVersion })(Buffer.from(key)), id, key);
  }
  const idOf = createEntityId({ ...route, keyVersion: 3 });
  for (const key of ['Zürich', 'Zü|rich|-7', 'Zürich|', 'Zürich|7.0', 'Zürich|2147483648', 'Zürich|+7'])
    assert.equal(idOf(Buffer.from(key)), undefined, key);
});

test('a value is what its protobuf says', () => {
  const number = feastFormat(1, false);
  for (const [hex, value] of [
    ['182a', 42],
    ['20ffffffffffffffffff01', -1],
    ['208094ebdc03', 1_000_000_000],
    ['29000000000000f83f', 1.5],
    ['350000c03f', 1.5],
    ['3801', 1],
    ['408080808010', 4_294_967_296],
  ] as const) {
    assert.equal(number.decode(Buffer.from(hex, 'hex'))?.[0], value, hex);
  }
  for (const missing of ['', '980100'])
    assert.ok(Number.isNaN(number.decode(Buffer.from(missing, 'hex'))?.[0]), `"${missing}" is a null`);
  for (const no of ['12024142', '18', '182a00', '2900', '3a', '6a030a0101', 'ffffffffffffffffffffff'])
    assert.equal(number.decode(Buffer.from(no, 'hex')), null, no);
});

test('a list comes packed or one by one, as long as the topology says', () => {
  const { decode } = feastFormat(3, true);
  for (const hex of ['6a050a03010203', '6a06080108020803', '72050a03010203', '6a070a020102' + '0a0103'])
    assert.deepEqual([...Array.from(decode(Buffer.from(hex, 'hex')) ?? [])], [1, 2, 3], hex);
  for (const no of ['6a040a020102', '6a060a0401020304', '6a050a03010280', '6a050a04010203', '182a', '6a050a0301020300'])
    assert.equal(decode(Buffer.from(no, 'hex')), null, no);
});

test('what was written is read, and whatever else comes never throws or reads beyond', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 200 }), (numbers) => {
      const bytes = encodeFeast(Float64Array.from(numbers), true);
      assert.deepEqual(Array.from(feastFormat(numbers.length, true).decode(bytes) ?? []), numbers);
      const one = feastFormat(1, false).decode(encodeFeast(Float64Array.of(numbers[0]), false));
      assert.equal(one?.[0], numbers[0]);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, isVector) => {
      const decoded = feastFormat(isVector ? 3 : 1, isVector).decode(bytes);
      if (decoded !== null) assert.equal(decoded.length, isVector ? 3 : 1);
    }),
  );
});
