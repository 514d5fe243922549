import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFrom, startsOf } from '../../../../src/commands/tail/from.ts';

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
    const found = await startsOf(parseFrom(text, NOW_MS), 't', EXTENTS, { offsetsAt });
    assert.deepEqual([...found.values()], starts);
  });
}

test('an offset that no partition has is refused with those that there are; the next one is one', async () => {
  const log = { offsetsAt: () => Promise.reject(new Error('nobody asks')) };
  assert.deepEqual([...(await startsOf({ kind: 'offset', offset: 20 }, 't', EXTENTS, log)).values()], [20, 0]);
  await assert.rejects(startsOf({ kind: 'offset', offset: 21 }, 't', EXTENTS, log), {
    code: 'usage-invalid',
    message: /no offset 21: t\/0 holds offsets 5 to 19, t\/1 is empty, its next offset is 0; give one of these/,
  });
});

for (const text of ['', 'soon', '1.5', '-', '10 m', '2026-13-40', '1e3']) {
  test(`"${text}" is no place`, () => {
    assert.throws(() => parseFrom(text, NOW_MS), {
      code: 'usage-invalid',
      message: /^--from: ".*" is none of: earliest/,
    });
  });
}
