import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offsetsOf, parseBound } from '../../../../src/commands/look/bounds.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const EXTENTS = new Map([
  [0, { start: 5, end: 20 }],
  [1, { start: 0, end: 0 }],
]);

for (const [text, starts] of [
  ['earliest', [5, 0]],
  ['latest', [20, 0]],
  ['7', [7, 0]],
  ['-3', [17, 0]],
  ['-100', [5, 0]],
  ['-10m', [11, 0]],
  ['10m', [11, 0]],
  ['2026-03-01T11:50:00Z', [11, 0]],
] as const) {
  test(`--from ${text}`, async () => {
    const offsetsAt = (_: string, timestampMs: number): Promise<number[]> => {
      assert.equal(timestampMs, NOW_MS - 600_000);
      return Promise.resolve([11]);
    };
    const found = await offsetsOf(parseBound('--from', text, NOW_MS), '--from', 't', EXTENTS, { offsetsAt });
    assert.deepEqual([...found.values()], starts);
  });
}

test('an offset that no partition has is refused with those that there are; the next one is one', async () => {
  const log = { offsetsAt: () => Promise.reject(new Error('nobody asks')) };
  assert.deepEqual(
    [...(await offsetsOf({ kind: 'offset', offset: 20 }, '--from', 't', EXTENTS, log)).values()],
    [20, 0],
  );
  await assert.rejects(offsetsOf({ kind: 'offset', offset: 21 }, '--from', 't', EXTENTS, log), {
    code: 'usage-invalid',
    message: /no offset 21: t\/0 holds offsets 5 to 19, t\/1 is empty, its next offset is 0; give one of these/,
  });
});

for (const text of [
  '',
  'soon',
  '0:',
  ':1',
  '0:1,',
  '0:-3',
  '1.5',
  '-',
  '10 m',
  '2026-13-40',
  '2026-02-30',
  '2026-02-29T12:00:00Z',
  '1e3',
]) {
  test(`"${text}" is no place`, () => {
    assert.throws(() => parseBound('--from', text, NOW_MS), {
      code: 'usage-invalid',
      message: /^--from: ".*" is none of: earliest/,
    });
  });
}

test('offsets by partition mean those partitions alone, which must be there and hold them', async () => {
  const log = { offsetsAt: () => Promise.reject(new Error('nobody asks')) };
  const at = (text: string) => offsetsOf(parseBound('--to', text, NOW_MS), '--to', 't', EXTENTS, log);
  assert.deepEqual([...(await at('0:7'))], [[0, 7]]);
  assert.deepEqual(
    [...(await at('1:0,0:20'))],
    [
      [1, 0],
      [0, 20],
    ],
  );
  await assert.rejects(at('2:7'), { message: '--to: topic "t" has no partition 2; it has partitions 0 to 1' });
  await assert.rejects(at('0:4'), { message: /^--to: there is no offset 4 in t\/0, which holds offsets 5 to 19; / });
  await assert.rejects(at('0:21'), { code: 'usage-invalid' });
  assert.throws(() => parseBound('--to', '0:1,0:2', NOW_MS), { message: /names partition 0 twice/ });
});
