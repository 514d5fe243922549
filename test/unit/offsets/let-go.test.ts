/** What a queue has passed must be garbage at once: frames that stay for a while make V8 mark the whole heap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Frame } from '../../../src/kernel/frame.ts';
import { Sequencer } from '../../../src/offsets/sequencer.ts';
import { Watermarks } from '../../../src/offsets/watermark.ts';
import { frameOf } from '../../fixtures/frames.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const origin = { topic: 't', partition: 0, epoch: 1 };

/** Passes some frames through a queue that one frame stays in, and returns those that have not been collected. */
async function leftOf(admit: (frame: Frame) => void, pass: (frame: Frame) => void): Promise<number> {
  const passed: WeakRef<Frame>[] = [];
  (() => {
    const frames = Array.from({ length: 5 }, (_, offset) => frameOf(origin, [{ offset }]));
    for (const frame of frames) admit(frame);
    for (const frame of frames.slice(0, 4)) {
      pass(frame);
      passed.push(new WeakRef(frame));
    }
  })();
  // A WeakRef holds on to what it refers to until the turn ends.
  await new Promise(setImmediate);
  collect();
  return passed.filter((frame) => frame.deref() !== undefined).length;
}

test('watermarks let go of a frame as they pass it', async () => {
  const watermarks = new Watermarks();
  watermarks.open(origin);
  const left = await leftOf(
    (frame) => watermarks.admit(frame),
    (frame) => {
      frame.unsettled = 0;
      watermarks.advance(origin);
    },
  );
  assert.equal(left, 0);
  assert.equal(watermarks.pendingFrames(), 1);
  assert.equal(watermarks.close(origin), 5, 'passed records count until they are committed');
});

test('the sequencer lets go of a frame as it releases it', async () => {
  const sequencer = new Sequencer({ ordered: true });
  let released = 0;
  const left = await leftOf(
    (frame) => sequencer.admit(frame),
    (frame) => sequencer.finish(frame, () => released++),
  );
  assert.equal(left, 0);
  assert.deepEqual([released, sequencer.waiting], [4, 1]);
});
