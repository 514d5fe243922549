import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Bookmark, FORM, readBookmark } from '../../../../src/commands/batch/bookmark.ts';
import { createKeeper, type Keeper, type Standing } from '../../../../src/commands/batch/bookmark-keeper.ts';
import { NO_COUNTS } from '../../../../src/commands/batch/counts.ts';
import { Answered } from '../../../../src/kernel/bounded-source.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-keeper-'));
after(() => rmSync(folder, { recursive: true }));

const BEGUN: Bookmark = {
  ...{ form: FORM, identity: { input: 'x' }, name: 'x', next: { 0: 3 }, read: 0 },
  ...{ keep: { output: 0, deadLetters: 0 }, ends: [7], counts: NO_COUNTS },
};
const LATER: Standing = { keep: { output: 10, deadLetters: 2 }, ends: [9], counts: NO_COUNTS, read: 5 };

function setUp(name: string, answered?: Answered): { keeper: Keeper; clock: FakeClock; file: string } {
  const clock = new FakeClock();
  const file = join(folder, name);
  const keeper = createKeeper({ clock, answered, measure: async () => LATER }, BEGUN, { file, everyMs: 1_000 });
  return { keeper, clock, file };
}

test('a bookmark is written before all else, whenever one is due, and removed at the end', async () => {
  const { keeper, clock, file } = setUp('kept');
  keeper.begin();
  assert.deepEqual(readBookmark(file), BEGUN);
  assert.equal(keeper.due(), false);
  await clock.advance(1_000);
  assert.equal(keeper.due(), true);
  await keeper.at(new Map([[0, 8]]));
  assert.deepEqual(readBookmark(file), { ...BEGUN, ...LATER, next: { 0: 8 }, whole: false });
  assert.equal(keeper.due(), false);
  keeper.remove();
  assert.deepEqual([existsSync(file), existsSync(`${file}.new`)], [false, false]);
});

test('the old bookmark stays while answers of the previous run lie ahead, so that they can be found again', async () => {
  const answered = new Answered(new Map([[0, new Set([12])]]));
  const { keeper, clock, file } = setUp('answered', answered);
  keeper.begin();
  await clock.advance(5_000);
  assert.equal(keeper.due(), false);
  await keeper.end(new Map([[0, 8]]), async () => LATER, false);
  assert.equal(existsSync(file), false);
  answered.next(0, 13);
  assert.equal(keeper.due(), true);
  await keeper.at(new Map([[0, 12]]));
  await keeper.end(new Map([[0, 12]]), async () => LATER, true);
  assert.equal(existsSync(file), false, 'passed over, and not behind what is settled');
  await keeper.end(new Map([[0, 13]]), async () => LATER, false);
  assert.deepEqual(readBookmark(file)?.next, { 0: 13 });
});

test('a bookmark that an unavailable broker prevents waits for the next stop; any other failure is thrown', async () => {
  const clock = new FakeClock();
  const file = join(folder, 'away');
  let failure: Error | undefined = new SluiceError('broker-unavailable', 'away');
  const measure = async (): Promise<Standing> => {
    if (failure !== undefined) throw failure;
    return LATER;
  };
  const keeper = createKeeper({ clock, answered: undefined, measure }, BEGUN, { file, everyMs: 1_000 });
  keeper.begin();
  await keeper.at(new Map([[0, 8]]));
  assert.deepEqual(readBookmark(file), BEGUN);
  failure = new SluiceError('file-failed', 'full');
  await assert.rejects(keeper.at(new Map([[0, 8]])), { code: 'file-failed' });
  failure = undefined;
  await keeper.at(new Map([[0, 9]]));
  assert.deepEqual(readBookmark(file)?.next, { 0: 9 });
});
