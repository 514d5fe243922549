import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Frame, Origin } from '../../src/kernel/frame.ts';
import { Watermarks } from '../../src/offsets/watermark.ts';
import { emptyRecords } from '../fixtures/frames.ts';

/** Watermarks against a plain model: every frame of every ownership period, in the order of fetch. */
const PARTITIONS = 2;

type Step =
  | { readonly do: 'admit'; readonly partition: number; readonly count: number; readonly gap: number }
  | { readonly do: 'settle'; readonly pick: number }
  | { readonly do: 'commit'; readonly take: number }
  | { readonly do: 'reopen'; readonly partition: number };

const partition = fc.nat(PARTITIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 200,
    arbitrary: fc.record({
      do: fc.constant('admit' as const),
      partition,
      count: fc.integer({ min: 1, max: 3 }),
      gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(50) }),
    }),
  },
  { weight: 400, arbitrary: fc.record({ do: fc.constant('settle' as const), pick: fc.nat() }) },
  { weight: 80, arbitrary: fc.record({ do: fc.constant('commit' as const), take: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const), partition }) },
);

/** One ownership period, as the model sees it. */
interface Period {
  readonly origin: Origin;
  readonly frames: Frame[];
  open: boolean;
  committed: number;
}

/** Where the settled prefix ends; NaN when its first frame is not settled. */
function settledPrefixEnd({ frames }: Period): number {
  let end = Number.NaN;
  for (const frame of frames) {
    if (frame.unsettled > 0) break;
    end = frame.nextOffset;
  }
  return end;
}

test('the watermark is the end of the settled prefix of an ownership period, and of nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 400, size: 'max' }), (steps) => {
      const watermarks = new Watermarks();
      const periods: Period[] = [];
      const current: Period[] = [];
      const nextOffset = new Array<number>(PARTITIONS).fill(0);
      const unsettled: { readonly frame: Frame; readonly period: Period }[] = [];

      function begin(number: number): void {
        const origin = { topic: 'in', partition: number, epoch: periods.length };
        const period = { origin, frames: [], open: true, committed: Number.NaN };
        periods.push(period);
        current[number] = period;
        watermarks.open(origin);
      }
      for (let number = 0; number < PARTITIONS; number++) begin(number);

      for (const each of steps) {
        if (each.do === 'admit') {
          const period = current[each.partition];
          const from = nextOffset[each.partition];
          nextOffset[each.partition] = from + each.count + each.gap;
          const frame = emptyRecords(period.origin, from, each.count, { nextOffset: nextOffset[each.partition] });
          assert.equal(watermarks.admit(frame), true);
          period.frames.push(frame);
          unsettled.push({ frame, period });
        } else if (each.do === 'settle' && unsettled.length > 0) {
          // Mostly from the front, so that prefixes grow; anywhere otherwise.
          const at = each.pick % 3 === 0 ? each.pick % unsettled.length : 0;
          const { frame, period } = unsettled[at];
          frame.unsettled--;
          if (frame.unsettled > 0) continue;
          unsettled.splice(at, 1);
          assert.equal(watermarks.advance(period.origin), period.open, 'late exactly when the period is over');
        } else if (each.do === 'commit') {
          for (const { origin, offset } of watermarks.committable().slice(0, each.take)) {
            const period = current[origin.partition];
            assert.equal(origin, period.origin);
            assert.ok(!(offset <= period.committed), 'monotone within an epoch');
            period.committed = offset;
            watermarks.markCommitted(origin, offset);
          }
        } else if (each.do === 'reopen') {
          current[each.partition].open = false;
          watermarks.close(current[each.partition].origin);
          begin(each.partition);
        }

        const expected = current
          .map((period) => ({ origin: period.origin, offset: settledPrefixEnd(period), committed: period.committed }))
          .filter(({ offset, committed }) => !Number.isNaN(offset) && offset !== committed)
          .map(({ origin, offset }) => ({ origin, offset }));
        const found = [...watermarks.committable()].sort((a, b) => a.origin.partition - b.origin.partition);
        assert.deepEqual(found, expected);
        const pending = current.reduce((sum, { frames }) => sum + frames.length - settledCount(frames), 0);
        assert.equal(watermarks.pendingFrames(), pending);
      }
      for (const { origin, open } of periods) {
        assert.equal(watermarks.isOpen(origin), open);
        if (!open) assert.equal(watermarks.admit(emptyRecords(origin, 0, 1)), false);
      }
    }),
    { seed: 1, numRuns: 150 },
  );
});

/** Frames of the settled prefix. */
function settledCount(frames: readonly Frame[]): number {
  const first = frames.findIndex(({ unsettled }) => unsettled > 0);
  return first < 0 ? frames.length : first;
}

test('a position that goes back is refused, and one of a closed period is ignored', () => {
  const watermarks = new Watermarks();
  const origin = { topic: 'in', partition: 0, epoch: 1 };
  watermarks.open(origin);
  watermarks.markCommitted(origin, 10);
  assert.throws(() => watermarks.markCommitted(origin, 9), /commit of in\/0 went back from 10 to 9/);
  watermarks.close(origin);
  watermarks.markCommitted(origin, 5);
  assert.deepEqual(watermarks.committable(), []);
});
