import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../../../src/kernel/frame.ts';
import { decodeHeaders } from '../../../../src/kernel/headers.ts';
import { OutputHeaders } from '../../../../src/stages/delivery/output-headers.ts';
import { frameOf, type TestRecord } from '../../../fixtures/frames.ts';

const ORIGIN = { topic: 'flights.ö', partition: 12, epoch: 1 };

function scored(records: readonly TestRecord[]): Frame {
  const frame = frameOf(ORIGIN, records);
  frame.model = 'test@1#0123456789ab';
  return frame;
}

const headers = new OutputHeaders();

function blocksOf(frame: Frame): Buffer[] {
  return Array.from({ length: frame.count }, (_, i) => blockOf(frame, i));
}

function blockOf(frame: Frame, i: number): Buffer {
  const { view, length } = headers.of(frame, i);
  return Buffer.from(new Uint8Array(view.buffer, view.byteOffset, length));
}

test('sluice-source and sluice-model, to the byte, for offsets of any length', () => {
  const offsets = [0, 9, 10, 99, 100, 2 ** 31, 2 ** 32 + 1, 999_999_999_999_999, Number.MAX_SAFE_INTEGER];
  const frame = scored(offsets.map((offset) => ({ offset })));
  const blocks = blocksOf(frame);
  blocks.forEach((block, i) => {
    assert.deepEqual(
      decodeHeaders(block).map(({ name, value }) => [name, value?.toString()]),
      [
        ['sluice-source', `flights.ö/12/${offsets[i]}`],
        ['sluice-model', 'test@1#0123456789ab'],
      ],
    );
  });
  const expected = [
    '04', // two headers
    `1a${Buffer.from('sluice-source').toString('hex')}`,
    `1e${Buffer.from('flights.ö/12/0').toString('hex')}`,
    `18${Buffer.from('sluice-model').toString('hex')}`,
    `26${Buffer.from('test@1#0123456789ab').toString('hex')}`,
  ].join('');
  assert.equal(blocks[0].toString('hex'), expected);
});

test('sluice-inputs says the schema id and how old the oldest feature is, where there is something to say', () => {
  const frame = scored([0, 1, 2, 3].map((offset) => ({ offset })));
  frame.schemaId.set([42, -1, 2 ** 31 - 1, -1]);
  frame.featuresAtMs = Float64Array.of(1_700_000_000_999, 5_000, Number.NaN, Number.NaN);
  const said = blocksOf(frame).map((block) => {
    const headers = decodeHeaders(block);
    assert.deepEqual([headers[0].name, headers[1].name], ['sluice-source', 'sluice-model']);
    return headers[2] && `${headers[2].name}: ${headers[2].value}`;
  });
  assert.deepEqual(said, [
    'sluice-inputs: schema=42 features=1700000000',
    'sluice-inputs: features=5',
    'sluice-inputs: schema=2147483647',
    undefined,
  ]);
});

test('an output says how it is less than asked for; one that is not has no such header', () => {
  const frame = scored(Array.from({ length: 8 }, (_, offset) => ({ offset })));
  frame.schemaId.set([7], 1);
  frame.degraded = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  const said = blocksOf(frame).map((block) => {
    const headers = decodeHeaders(block);
    assert.deepEqual(
      headers.map(({ name }) => name).slice(0, 2),
      ['sluice-source', 'sluice-model'],
      'the others are untouched',
    );
    return headers.find(({ name }) => name === 'sluice-degraded')?.value?.toString();
  });
  assert.deepEqual(said, [
    undefined,
    'stale-cache',
    'default-features',
    'stale-cache,default-features',
    'smaller-model',
    'stale-cache,smaller-model',
    'default-features,smaller-model',
    'stale-cache,default-features,smaller-model',
  ]);
});

test('headers of frames that alternate are those of each frame alone', () => {
  const one = scored([5, 6, 1_000].map((offset) => ({ offset })));
  const other = frameOf({ ...ORIGIN, topic: 'other', partition: 3 }, [{ offset: 5 }, { offset: 6 }]);
  other.model = 'another@2#ba9876543210';
  const alone = [blocksOf(one), blocksOf(other)];
  const turns = [0, 1].map((i) => [one, other].map((frame) => blockOf(frame, i)));
  assert.deepEqual(turns, [
    [alone[0][0], alone[1][0]],
    [alone[0][1], alone[1][1]],
  ]);
});
