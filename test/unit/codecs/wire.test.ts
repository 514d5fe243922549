import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confluentPrefix, readSchemaId } from '../../../src/codecs/wire.ts';

test('a schema id is read back from its prefix, anywhere in an arena', () => {
  for (const id of [0, 1, 255, 0x01020304, 0x7fffffff]) {
    const arena = Buffer.concat([Buffer.from([9, 9]), confluentPrefix(id), Buffer.from([7])]);
    assert.equal(readSchemaId(arena, 2, arena.length), id);
    assert.equal(readSchemaId(arena, 2, 7), id);
  }
});

test('no id: too short, another magic byte, a negative id, null', () => {
  const arena = Buffer.from([0, 0, 0, 0, 1]);
  assert.equal(readSchemaId(arena, 0, 4), -1);
  assert.equal(readSchemaId(Buffer.from([1, 0, 0, 0, 1]), 0, 5), -1);
  assert.equal(readSchemaId(Buffer.from([0, 0x80, 0, 0, 1]), 0, 5), -1);
  assert.equal(readSchemaId(arena, -1, -1), -1);
});
