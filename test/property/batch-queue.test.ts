import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Frame } from '../../src/kernel/frame.ts';
import { BatchQueue, startedMs } from '../../src/stages/inference/batch-queue.ts';
import { frameOf } from '../fixtures/frames.ts';

/** The queue against a plain list of rows. */
const ORIGIN = { topic: 'in', partition: 0, epoch: 1 };
const RECEIVED_AT_MS = 1_700_000_000_000;

const step = fc.oneof(
  fc.record({ rows: fc.integer({ min: 1, max: 20 }), ageMs: fc.oneof(fc.nat(100), fc.constant(4_000_000)) }),
  fc.record({ cut: fc.integer({ min: 1, max: 40 }) }),
);

test('rows leave in order of arrival, each once; the oldest is found anywhere in the queue', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 900, size: 'max' }), (steps) => {
      const queue = new BatchQueue();
      let model: { readonly frame: Frame; readonly row: number }[] = [];
      steps.forEach((each, n) => {
        if ('rows' in each) {
          const records = Array.from({ length: each.rows }, (_, i) => ({
            offset: i,
            // One record of the frame is the oldest; not always the first.
            timestampMs: RECEIVED_AT_MS - (i === n % each.rows ? each.ageMs : 0),
          }));
          const frame = frameOf(ORIGIN, records, { receivedAtMs: RECEIVED_AT_MS, receivedMonotonicMs: n });
          queue.push(frame, 0, each.rows);
          for (let row = 0; row < each.rows; row++) model.push({ frame, row });
        } else {
          const taken = queue
            .cut(each.cut)
            .flatMap(({ frame, from, to }) => Array.from({ length: to - from }, (_, i) => ({ frame, row: from + i })));
          const expected = model.slice(0, each.cut);
          assert.ok(
            taken.length === expected.length &&
              taken.every(({ frame, row }, i) => frame === expected[i].frame && row === expected[i].row),
          );
          model = model.slice(each.cut);
        }
        assert.equal(queue.rows, model.length);
        const oldest = model.reduce((least, { frame }) => Math.min(least, startedMs(frame)), Number.POSITIVE_INFINITY);
        assert.equal(queue.oldestMs(), oldest);
      });
    }),
    { seed: 15, numRuns: 40 },
  );
});

test('a record enters the world at its timestamp or its arrival, whichever was first; after an hour it is a backlog', () => {
  const started = (...agesMs: number[]): number =>
    startedMs(
      frameOf(
        ORIGIN,
        agesMs.map((ageMs, offset) => ({ offset, timestampMs: RECEIVED_AT_MS - ageMs })),
        { receivedAtMs: RECEIVED_AT_MS, receivedMonotonicMs: 500 },
      ),
    );
  assert.equal(started(0, 30, 10), 470);
  assert.equal(started(-20), 500, 'a timestamp from the future does not put the deadline off');
  assert.equal(started(3_600_000), 500 - 3_600_000);
  assert.equal(started(3_600_001), Number.NEGATIVE_INFINITY);
});
