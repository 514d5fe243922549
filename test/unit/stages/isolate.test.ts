import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, OPEN, REASONS, reasonCode } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import { isolate, isolateSync } from '../../../src/stages/isolate.ts';
import { emptyRecords } from '../../fixtures/frames.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

const STAGE_FAILED = reasonCode('stage-failed');

/** A stage that breaks on poison, in the order of the records, and notes which ones each of its runs was over. */
function brittle(isPoison: (i: number) => boolean) {
  const runs: number[][] = [];
  const stage = (frame: Frame): undefined => {
    const seen = open(frame);
    runs.push(seen);
    for (const i of seen) if (isPoison(i)) throw new TypeError(`cannot read ${i}`);
    return undefined;
  };
  return { runs, stage };
}

function open({ fate }: Frame): number[] {
  return Array.from(fate, (each, i) => (each === OPEN ? i : -1)).filter((i) => i >= 0);
}

function failed({ fate, reason }: Frame): number[] {
  return Array.from(fate, (each, i) => (each === DEAD_LETTERED && reason[i] === STAGE_FAILED ? i : -1)).filter(
    (i) => i >= 0,
  );
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

for (const [what, count, poison] of [
  ['the first', 20, [0]],
  ['the last', 20, [19]],
  ['one in the middle', 512, [300]],
  ['some', 512, [0, 1, 2, 99, 256, 510, 511]],
  ['every second', 64, range(64).filter((i) => i % 2 === 1)],
  ['all', 64, range(64)],
  ['the only one', 1, [0]],
] as const) {
  test(`of ${count} records ${what} at fault: these alone dead-letter, and the last run is over all others`, () => {
    const deps = stageDeps();
    const bad = new Set<number>(poison);
    const { runs, stage } = brittle((i) => bad.has(i));
    const frame = emptyRecords(ORIGIN, 100, count);
    assert.equal(isolate(deps, 'encode', stage)(frame), undefined, 'what does not wait is not made to');
    assert.deepEqual(failed(frame), [...poison]);
    assert.deepEqual(
      open(frame),
      range(count).filter((i) => !bad.has(i)),
    );
    assert.deepEqual(runs.at(-1), open(frame));
    assert.deepEqual(
      poison.map((i) => frame.failedIn?.get(i)),
      poison.map(() => 'encode'),
    );
    assert.equal(frame.failedIn?.size, poison.length);
    const perRecord = poison.length === count ? 2 : 2 + 2 * Math.ceil(Math.log2(count));
    assert.ok(runs.length <= 4 + poison.length * perRecord + Math.log2(count), `${runs.length} runs`);
    const broke = runs.filter((run) => run.some((i) => bad.has(i))).length;
    assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'stage', reason: 'unexpected' }), broke);
    const [event] = deps.telemetry.eventsNamed('stage-failed');
    assert.deepEqual(event, {
      stage: 'encode',
      source: `in/0/${100 + poison[0]}`,
      error: `TypeError: cannot read ${poison[0]}`,
    });
  });
}

test('a stage that works is run once, and one that breaks once is run again over all', () => {
  const deps = stageDeps();
  const { runs, stage } = brittle(() => runs.length === 2);
  const run = isolateSync(deps, 'decode', stage);
  for (let n = 0; n < 2; n++) run(emptyRecords(ORIGIN, 0, 3));
  assert.deepEqual(runs, [range(3), range(3), range(3)]);
  assert.equal(deps.telemetry.events.length, 0);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'stage', reason: 'unexpected' }), 1);
});

test('a stage that breaks now and then blames nobody', () => {
  for (let glitches = 1; glitches < 60; glitches++) {
    const deps = stageDeps();
    let runs = 0;
    const frame = emptyRecords(ORIGIN, 0, 40);
    // Three times in a row, so that the search begins; from then on every third run.
    isolate(deps, 'enrich', () => {
      runs++;
      if (runs <= 3 || (runs % 3 === 0 && runs < glitches)) throw new Error('glitch');
      return undefined;
    })(frame);
    assert.deepEqual(failed(frame), [], `${glitches}`);
  }
});

test('a stage that breaks on nothing too is a broken program: the run ends, and no record is given up', () => {
  for (const count of [0, 1, 5]) {
    const deps = stageDeps();
    const frame = emptyRecords(ORIGIN, 0, count);
    const run = isolate(deps, 'postprocess', () => {
      throw new RangeError('no such table');
    });
    assert.throws(
      () => run(frame),
      (error: SluiceError) => {
        assert.deepEqual([error.code, error.disposition], ['stage-broken', 'fatal']);
        assert.match(error.message, /^postprocess fails .*RangeError: no such table.*restart$/);
        return true;
      },
    );
    assert.deepEqual(open(frame), range(count));
    assert.equal(frame.failedIn, undefined);
    assert.equal(deps.telemetry.events.length, 0);
  }
});

test('a stage that goes to pieces in the search is a broken program, whoever was suspected by then', () => {
  const deps = stageDeps();
  let runs = 0;
  const frame = emptyRecords(ORIGIN, 0, 8);
  const run = isolate(deps, 'decode', () => {
    if (open(frame).includes(2) || ++runs > 3) throw new Error('gone');
    return undefined;
  });
  assert.throws(() => run(frame), { code: 'stage-broken' });
  assert.deepEqual(open(frame), range(8));
});

test('fates from before, and those that the stage gives, stay; what has one is not shown to the stage again', () => {
  const deps = stageDeps();
  const frame = emptyRecords(ORIGIN, 0, 10);
  decide(frame, 3, DROPPED, reasonCode('tombstone'));
  const decodeFailed = reasonCode('decode-failed');
  isolate(deps, 'decode', (it) => {
    for (const i of open(it)) {
      assert.notEqual(i, 3);
      if (i === 4) decide(it, i, DEAD_LETTERED, decodeFailed);
      if (i === 7) throw new Error('seven');
    }
    return undefined;
  })(frame);
  assert.deepEqual(
    Array.from(frame.fate, (fate, i) => (fate === OPEN ? 'open' : REASONS[frame.reason[i]])),
    ['open', 'open', 'open', 'tombstone', 'decode-failed', 'open', 'open', 'stage-failed', 'open', 'open'],
  );
});

test('failures that somebody translated, and all once the pipeline has given up, pass through untouched', async () => {
  for (const code of ['store-unavailable', 'model-failed', 'table-missing'] as const) {
    const thrown = new SluiceError(code, 'said');
    const deps = stageDeps();
    const frame = emptyRecords(ORIGIN, 0, 4);
    const sync = isolate(deps, 'enrich', () => {
      throw thrown;
    });
    assert.throws(
      () => sync(frame),
      (error) => error === thrown,
    );
    const waiting = isolate(deps, 'enrich', () => Promise.reject(thrown));
    await assert.rejects(waiting(frame) as Promise<void>, (error) => error === thrown);
    // In the midst of the search too.
    const late = isolate(deps, 'enrich', () => {
      throw open(frame).length === 4 ? new Error('unknown') : thrown;
    });
    assert.throws(
      () => late(frame),
      (error) => error === thrown,
    );
    assert.deepEqual(open(frame), range(4), 'nothing stays set aside');
  }
  const deps = stageDeps();
  deps.giveUp();
  const thrown = new TypeError('who cares');
  const frame = emptyRecords(ORIGIN, 0, 4);
  let runs = 0;
  const run = isolate(deps, 'enrich', () => {
    runs++;
    throw thrown;
  });
  assert.throws(
    () => run(frame),
    (error) => error === thrown,
  );
  assert.equal(runs, 1);
});

test('a search that waits, as the stage does, ends when the pipeline gives up', async () => {
  const deps = stageDeps();
  const frame = emptyRecords(ORIGIN, 0, 9);
  let runs = 0;
  const run = isolate(deps, 'enrich', async () => {
    if (++runs === 6) deps.giveUp();
    if (open(frame).includes(5)) throw new Error('five');
  });
  await assert.rejects(run(frame) as Promise<void>, /five/);
  assert.deepEqual(open(frame), range(9));
});

test('a stage that waits only sometimes is searched all the same', async () => {
  const deps = stageDeps();
  const frame = emptyRecords(ORIGIN, 0, 33);
  let runs = 0;
  const poison = new Set([0, 7, 8, 32]);
  await isolate(deps, 'enrich', (it) => {
    const bad = open(it).some((i) => poison.has(i));
    if (runs++ % 2 === 0) return bad ? Promise.reject(new Error('late')) : Promise.resolve();
    if (bad) throw new Error('at once');
    return undefined;
  })(frame);
  assert.deepEqual(failed(frame), [...poison]);
});

test('what is thrown need be no error', () => {
  const deps = stageDeps();
  const frame = emptyRecords(ORIGIN, 0, 2);
  isolate(deps, 'encode', (it) => {
    if (open(it).includes(1)) throw Object.create(null);
    return undefined;
  })(frame);
  assert.deepEqual(failed(frame), [1]);
  assert.match(String(deps.telemetry.eventsNamed('stage-failed')[0].error), /has no text/);
});
