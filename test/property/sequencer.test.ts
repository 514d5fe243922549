import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Frame, Origin } from '../../src/kernel/frame.ts';
import { Sequencer } from '../../src/offsets/sequencer.ts';
import { emptyRecords } from '../fixtures/frames.ts';

const ORIGINS: readonly Origin[] = [0, 1].map((partition) => ({ topic: 'in', partition, epoch: 1 }));

/** Admissions and finishes in any order: `pick` chooses which of the frames under way finishes. */
const steps = fc.array(fc.record({ admit: fc.boolean(), origin: fc.nat(1), pick: fc.nat() }), {
  minLength: 1,
  maxLength: 900,
  size: 'max',
});

test('frames leave in the order in which they were admitted, each once, as soon as it is their turn', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const sequencer = new Sequencer({ ordered: true });
      const admitted = new Map<Origin, Frame[]>(ORIGINS.map((origin) => [origin, []]));
      const released = new Map<Origin, Frame[]>(ORIGINS.map((origin) => [origin, []]));
      const finished = new Set<Frame>();
      const underWay: Frame[] = [];
      const finishOne = (at: number): void => {
        const [frame] = underWay.splice(at, 1);
        finished.add(frame);
        sequencer.finish(frame, (each) => released.get(each.origin)?.push(each));
        // The model: of each origin, exactly the finished prefix has left.
        for (const [origin, frames] of admitted) {
          const first = frames.findIndex((each) => !finished.has(each));
          assert.deepEqual(ids(released.get(origin)), ids(first < 0 ? frames : frames.slice(0, first)));
        }
      };
      script.forEach(({ admit, origin, pick }, n) => {
        // Enough stay under way that a queue grows long without ever running empty.
        if (admit || underWay.length < 8) {
          const frame = emptyRecords(ORIGINS[origin], n, 1);
          admitted.get(ORIGINS[origin])?.push(frame);
          underWay.push(frame);
          sequencer.admit(frame);
        } else finishOne(pick % 4 === 0 ? pick % underWay.length : 0);
        const left = [...released.values()].reduce((sum, frames) => sum + frames.length, 0);
        const all = [...admitted.values()].reduce((sum, frames) => sum + frames.length, 0);
        assert.equal(sequencer.waiting, all - left);
      });
      while (underWay.length > 0) finishOne(underWay.length - 1);
      assert.equal(sequencer.waiting, 0);
    }),
    { seed: 2, numRuns: 40 },
  );
});

test('without order a frame leaves as soon as it finishes, and nothing is kept', () => {
  const sequencer = new Sequencer({ ordered: false });
  const [first, second] = [emptyRecords(ORIGINS[0], 0, 1), emptyRecords(ORIGINS[0], 1, 1)];
  const left: Frame[] = [];
  for (const frame of [first, second]) sequencer.admit(frame);
  for (const frame of [second, first]) sequencer.finish(frame, (each) => left.push(each));
  assert.deepEqual(ids(left), [1, 0]);
  assert.equal(sequencer.waiting, 0);
});

test('a release that fails is not repeated, and the frames behind it still get their turn', () => {
  const sequencer = new Sequencer({ ordered: true });
  const frames = [0, 1, 2].map((offset) => emptyRecords(ORIGINS[0], offset, 1));
  for (const frame of frames) sequencer.admit(frame);
  assert.throws(
    () =>
      sequencer.finish(frames[0], () => {
        throw new Error('no');
      }),
    /no/,
  );
  const left: Frame[] = [];
  for (const frame of frames.slice(1)) sequencer.finish(frame, (each) => left.push(each));
  assert.deepEqual(ids(left), [1, 2]);
});

test('a frame that nobody admitted is refused', () => {
  const sequencer = new Sequencer({ ordered: true });
  assert.throws(() => sequencer.finish(emptyRecords(ORIGINS[1], 0, 1), () => undefined), /in\/1 finished without/);
});

function ids(frames: readonly Frame[] | undefined): number[] {
  return (frames ?? []).map(({ offsets }) => offsets[0]);
}
