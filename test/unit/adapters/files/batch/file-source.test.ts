/** A file as a source whose records were answered before, in part: what is published, and what position is reached. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFileSource } from '../../../../../src/adapters/files/batch/file-source.ts';
import { Answered } from '../../../../../src/kernel/bounded-source.ts';
import { Credit } from '../../../../../src/kernel/credit.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import type { SourceListener } from '../../../../../src/ports/source.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';

interface Read {
  readonly published: number[];
  readonly settled: number;
  /** Positions at which it stopped, everything before being settled. */
  readonly stops: number[];
}

const RECORDS = 10;

/** Ten records in runs of three; settles each frame as it comes. */
async function read(from: number, limit: number, answers: ReadonlySet<number>): Promise<Read> {
  const credit = new Credit({ maxRecords: 4, maxBytes: 1_000 });
  const offsets = Array.from({ length: RECORDS }, (_, i) => i);
  const file = {
    async *runs() {
      for (let i = 0; i < RECORDS; i += 3) {
        const run = offsets.slice(i, i + 3);
        yield { values: run.map((offset) => Buffer.from(`v${offset}`)), offsets: run };
      }
    },
  };
  const answered = new Answered(new Map([[0, answers]]));
  const stops: number[] = [];
  const at = async (next: ReadonlyMap<number, number>): Promise<void> => void stops.push(next.get(0) as number);
  const source = createFileSource({ clock: new FakeClock(), credit }, file as never, {
    ...{ name: 'in', frameRecords: 2, limit, from, answered },
    stops: { due: () => answered.left === 0, at },
  });
  const published: number[] = [];
  const take = async (frame: Frame): Promise<void> => {
    published.push(...frame.offsets.subarray(0, frame.count));
    frame.unsettled = 0;
    credit.give(frame.count, frame.bytes);
    await source.commit([{ origin: frame.origin, offset: frame.nextOffset }]);
  };
  const error = await new Promise<unknown>((resolve) => {
    const listener: Partial<SourceListener> = {
      ...{ onAssigned: () => undefined, onAlone: take, onFailed: resolve },
      onFrame: (frame) => void take(frame),
      onEnd: () => resolve(undefined),
    };
    void source.start(listener as SourceListener);
  });
  assert.equal(error, undefined);
  return { published, settled: source.settled().get(0) as number, stops };
}

test('what was answered is passed over, and so is behind the position at the end, at the limit and at every stop', async () => {
  const offset = fc.nat(RECORDS - 1);
  await fc.assert(
    fc.asyncProperty(offset, fc.nat(RECORDS + 2), fc.uniqueArray(offset), async (from, limit, found) => {
      const end = Math.min(RECORDS, from + limit);
      const answers = new Set(found.filter((each) => each >= from && each < end));
      const { published, settled, stops } = await read(from, limit, answers);
      const wanted = Array.from({ length: end - from }, (_, i) => from + i);
      assert.deepEqual(
        published,
        wanted.filter((each) => !answers.has(each)),
      );
      assert.equal(settled, end);
      assert.ok(stops.every((next) => next > Math.max(-1, ...answers)));
    }),
    { seed: 21, numRuns: 300 },
  );
});
