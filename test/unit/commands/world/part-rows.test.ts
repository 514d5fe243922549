import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cheapestRows } from '../../../../src/commands/world/part-rows.ts';
import type { Tried } from '../../../../src/commands/world/placement.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { ModelSession } from '../../../../src/ports/model.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

/** A model whose batch of so many rows takes `runMs(rows)`. */
function modelOf(runMs: (rows: number) => number, { device = 'cpu', width = 4 } = {}) {
  const load = { feeds: [{ name: 'x', rowShape: [width], dtype: 'float32' }] } as const;
  const clock = new FakeClock();
  const asked: number[] = [];
  const session: ModelSession = {
    device,
    inputs: [],
    outputs: [],
    async run(_, rows) {
      asked.push(rows);
      await clock.advance(runMs(rows));
      return [];
    },
    close: () => Promise.resolve(),
  };
  const search = (full = 4_096, tried?: Tried): Promise<number | undefined> =>
    cheapestRows(session, load, clock, { full, tried });
  return { search, asked };
}

/** 0.125 ms a row, and 8 % more from 256 rows on. */
const cached = (rows: number): number => 0.01 + 0.125 * rows * (rows < 256 ? 1 : 1.08);

test('where a row of a large batch costs more, parts have the largest size that is as good as the cheapest', async () => {
  const { search, asked } = modelOf(cached);
  assert.equal(await search(), 128);
  assert.equal(asked.at(-1), 512, 'no size is tried after a run of more than 40 ms');
});

test('a size that is a hundredth dearer than the cheapest is as good, and larger', async () => {
  const dearer = new Map([
    [64, 1.01],
    [128, 1.012],
    [256, 1.03],
  ]);
  const { search } = modelOf((rows) => 0.125 * rows * (rows <= 32 ? 1 : (dearer.get(rows) ?? 1.04)));
  assert.equal(await search(), 128);
  // Three hundredths are not worth the calls.
  assert.equal(await modelOf((rows) => 0.125 * rows * (rows < 256 ? 1 : 1.025)).search(), undefined);
});

test('a model that costs no more in large batches runs them whole', async () => {
  assert.equal(await modelOf((rows) => 0.5 + 0.1 * rows).search(), undefined);
  assert.equal(await modelOf((rows) => 0.1 * rows * (1 + rows / 20_000)).search(), undefined);
});

test('sizes whose runs are short, or that a plan has no batches of, are no parts', async () => {
  assert.equal(await modelOf(cached).search(128), undefined);
  // Cheapest in eights, which take a millisecond.
  assert.equal(await modelOf((rows) => rows * (rows <= 8 ? 0.12 : 0.125)).search(), undefined);
  // One row is longer than any trial.
  const { search, asked } = modelOf((rows) => 90 * rows);
  assert.equal(await search(), undefined);
  assert.deepEqual([...new Set(asked)], [1]);
  // A row of which that is known already is not run again, and a trial has no more than 16 MiB.
  const known = modelOf((rows) => 90 * rows);
  assert.equal(await known.search(4_096, { rows: 1, runMs: 90 }), undefined);
  assert.deepEqual(known.asked, []);
  const wide = modelOf(cached, { width: 2 ** 20 });
  assert.equal(await wide.search(), undefined);
  assert.equal(Math.max(...wide.asked), 4);
});

test('on a GPU nothing is tried, and a size that the model rejects ends the search', async () => {
  const gpu = modelOf(cached, { device: 'cuda:0' });
  assert.equal(await gpu.search(), undefined);
  assert.deepEqual(gpu.asked, []);
  const fixed = modelOf((rows) => {
    if (rows > 64) throw new SluiceError('model-failed', 'the model failed');
    return cached(rows);
  });
  assert.equal(await fixed.search(), undefined);
  await assert.rejects(
    modelOf((rows) => {
      if (rows > 64) throw new TypeError('a bug');
      return cached(rows);
    }).search(),
    /a bug/,
  );
});
