import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Answered, HandOver } from '../../../src/kernel/bounded-source.ts';
import { Credit } from '../../../src/kernel/credit.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import { FrameBuilder } from '../../../src/kernel/frame-builder.ts';

const ORIGIN = { topic: 't', partition: 2, epoch: 0 };

function frame(offset: number): Frame {
  const builder = new FrameBuilder(ORIGIN, 1, 4);
  builder.append(offset, 0, null, Buffer.from('abcd'), null);
  return builder.build(offset + 1, 0, 0);
}

test('what was answered is met in order, and passed where its records are gone', () => {
  const numbers = fc.uniqueArray(fc.nat(50));
  fc.assert(
    fc.property(numbers, numbers, (answers, records) => {
      const answered = new Answered(new Map([[2, new Set(answers)]]));
      const rest = records.sort((a, b) => a - b).filter((offset) => answered.next(2, offset) !== offset);
      assert.deepEqual(
        rest,
        records.filter((offset) => !answers.includes(offset)),
      );
      answered.next(2, 51);
      const last = Math.max(-1, ...answers);
      assert.equal(answered.isBefore(new Map([[2, last + 1]])), true);
      assert.equal(answered.isBefore(new Map([[2, last]])), answers.length === 0);
      assert.equal(answered.isBefore(new Map([[0, 51]])), answers.length === 0);
      assert.equal(answered.left, 0);
      assert.equal(answered.next(0, 7), Number.POSITIVE_INFINITY);
    }),
  );
});

interface Setup {
  readonly handing: HandOver;
  readonly credit: Credit;
  readonly stopping: AbortController;
  readonly handed: Frame[];
  readonly stops: ReadonlyMap<number, number>[];
  /** As the pipeline does once a frame is settled. */
  settle(frame: Frame): void;
}

function setUp(due: (frames: number) => boolean): Setup {
  const credit = new Credit({ maxRecords: 10, maxBytes: 100 });
  const stopping = new AbortController();
  const handed: Frame[] = [];
  const stops: ReadonlyMap<number, number>[] = [];
  const handing = new HandOver(
    {
      credit,
      signal: stopping.signal,
      listener: {
        onFrame: (frame) => void handed.push(frame),
        onAlone: async (frame) => void handed.push(frame),
      },
      stops: {
        due: () => due(handed.length),
        at: async (next) => void stops.push(next),
      },
    },
    new Map([
      [2, 0],
      [3, 7],
    ]),
  );
  const settle = (one: Frame): void => {
    one.unsettled = 0;
    credit.give(one.count, one.bytes);
  };
  return { handing, credit, stopping, handed, stops, settle };
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('a stop waits until all that was handed over is settled, and says where every partition is', async () => {
  const { handing, handed, stops, settle } = setUp((frames) => frames === 1);
  for (const offset of [0, 1]) {
    assert.equal(await handing.take(1, 4), true);
    const given = handing.give(frame(offset));
    if (offset === 0) await given;
    else void given;
  }
  await turn();
  assert.equal(handed.length, 2);
  settle(handed[1]);
  await turn();
  assert.deepEqual(stops, [], 'the first is under way');
  settle(handed[0]);
  await turn();
  assert.deepEqual(stops, [
    new Map([
      [2, 2],
      [3, 7],
    ]),
  ]);
});

test('a frame that an ending pipeline did not take is no stop', async () => {
  const { handing, handed, stops, credit } = setUp(() => true);
  assert.equal(await handing.take(1, 4), true);
  const given = handing.give(frame(0));
  await turn();
  credit.give(handed[0].count, handed[0].bytes);
  await given;
  assert.deepEqual(stops, []);
});

test('halted, nothing is granted and no stop is waited for', async () => {
  const { handing, stopping, stops, credit } = setUp(() => true);
  assert.equal(await handing.take(1, 4), true);
  const given = handing.give(frame(0));
  await turn();
  stopping.abort();
  await given;
  assert.deepEqual([stops, await handing.take(1, 4), credit.records], [[], false, 1]);
});
