import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inParts } from '../../../../src/adapters/onnx/parts.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { ModelOutput, ModelSession } from '../../../../src/ports/model.ts';

const FEEDS = [
  { name: 'x', rowShape: [3], dtype: 'float32' },
  { name: 'y', rowShape: [], dtype: 'int64' },
] as const;

/** Answers each row's last x and its y twice; keeps the sizes it was asked for. */
function model(run?: (rows: number) => void) {
  const sizes: number[] = [];
  const session: ModelSession = {
    device: 'cpu',
    inputs: [],
    outputs: [],
    async run([x, y], rows): Promise<readonly ModelOutput[]> {
      sizes.push(rows);
      run?.(rows);
      const ys = BigInt64Array.from({ length: 2 * rows }, (_, i) => y[i >> 1] as bigint);
      return [
        { values: Float32Array.from({ length: rows }, (_, row) => x[3 * row + 2] as number), width: 1 },
        { values: ys, width: 2 },
      ];
    },
    close: () => Promise.resolve(),
  };
  return { session, sizes };
}

test('a run in parts of nearly equal size answers what one run does, of slabs that may be longer', () =>
  fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 }), async (rows, partRows) => {
      const slabs = [
        Float32Array.from({ length: 3 * rows + 7 }, (_, i) => i),
        BigInt64Array.from({ length: rows + 2 }, (_, i) => BigInt(i)),
      ];
      const { session, sizes } = model();
      const parted = await inParts(session, { feeds: FEEDS, partRows }).run(slabs, rows);
      assert.equal(
        sizes.reduce((a, b) => a + b, 0),
        rows,
      );
      assert.ok(Math.max(...sizes) <= partRows, `${sizes}`);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${sizes}`);
      assert.deepEqual(parted, await session.run(slabs, rows));
    }),
  ));

test('without a size runs are whole; a part that fails fails the run', async () => {
  const { session } = model((rows) => {
    if (rows === 2) throw new SluiceError('model-failed', 'no pairs');
  });
  assert.equal(inParts(session, { feeds: FEEDS }), session);
  const slabs = [new Float32Array(15), new BigInt64Array(5)];
  await assert.rejects(inParts(session, { feeds: FEEDS, partRows: 3 }).run(slabs, 5), /no pairs/);
});

test('parts of different widths are a failed run: rows would be cut at the wrong places', async () => {
  const { session } = model();
  let n = 0;
  const odd: ModelSession = {
    ...session,
    run: async (_, rows) => [{ values: new Float32Array(rows * ++n), width: n }],
  };
  await assert.rejects(
    inParts(odd, { feeds: FEEDS, partRows: 2 }).run([new Float32Array(12)], 4),
    /answered 1 values a row in one part of a batch, and 2 in another/,
  );
});
