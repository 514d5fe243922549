import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeMarker,
  encodeMarker,
  NOBODY,
  passed,
  type Suspicion,
  stepOf,
  suspicionAt,
} from '../../../src/offsets/quarantine.ts';
import { seeded } from '../../fixtures/random.ts';

test('a marker reads as it was written, and is short', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.maxSafeNat(), fc.boolean(), (deaths, until, atWork) => {
      const text = encodeMarker({ deaths, until }, atWork);
      assert.ok(text.length <= 64);
      if (text === '') assert.deepEqual([deaths, atWork], [0, false]);
      else assert.deepEqual(decodeMarker(text), { deaths, until, atWork });
    }),
  );
});

test('what is not a marker of ours says nothing, and is no error', () => {
  const written = encodeMarker({ deaths: 2, until: 12 }, true);
  for (const text of [null, undefined, '', ' ', `${written} `, `x${written}`, written.replace('/1', '/2')]) {
    assert.equal(decodeMarker(text), undefined, String(text));
  }
  assert.equal(decodeMarker('sluice/1 deaths=1 until=9999999999999999 at-work'), undefined);
  assert.equal(decodeMarker(written.repeat(1_000)), undefined);
  fc.assert(fc.property(fc.string(), (text) => void suspicionAt(decodeMarker(text), 5)));
});

/** One partition and the processes that own it, one after the other. A record lasts a moment; processes die where they are told to. */
function partition(records: number, frame: number) {
  let committed = 0;
  let note = '';
  const condemned: number[] = [];
  /** Runs until everything is settled, or until `dies` says so for what is under way. True when all is settled. */
  const live = (dies: (from: number, to: number) => boolean): boolean => {
    let suspicion: Suspicion = suspicionAt(decodeMarker(note), committed);
    note = encodeMarker(
      suspicion.deaths > 0 ? suspicion : { deaths: 0, until: committed + 10 * frame },
      suspicion.deaths === 0,
    );
    while (committed < records) {
      const step = stepOf(suspicion);
      const size = step === 'free' ? 10 * frame : step === 'frame' ? frame : 1;
      const to = Math.min(records, committed + size);
      if (step !== 'free') note = encodeMarker({ ...suspicion, until: step === 'frame' ? to : suspicion.until }, true);
      if (step === 'condemned') condemned.push(committed);
      else if (dies(committed, to)) return false;
      suspicion = passed(suspicion, to);
      committed = to;
      note = encodeMarker(
        suspicion.deaths > 0 ? suspicion : { deaths: 0, until: to + 10 * frame },
        suspicion.deaths === 0,
      );
    }
    return true;
  };
  return { live, condemned };
}

test('a record that kills is the only one condemned, after four deaths, wherever it lies', () => {
  for (let poison = 0; poison < 400; poison += 7) {
    const world = partition(400, 8);
    let deaths = 0;
    while (!world.live((from, to) => from <= poison && poison < to)) deaths++;
    assert.deepEqual(world.condemned, [poison]);
    assert.equal(deaths, 4, `record ${poison}`);
  }
});

test('several records that kill are condemned one after the other, and no other', () => {
  const poison = [3, 4, 90, 391];
  const world = partition(400, 8);
  let deaths = 0;
  while (!world.live((from, to) => poison.some((each) => from <= each && each < to))) deaths++;
  assert.deepEqual(world.condemned, poison);
  assert.ok(deaths <= 4 * poison.length, `${deaths} deaths`);
});

test('repeated random kills condemn no record', () => {
  let kills = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    const world = partition(4_000, 4);
    // A step takes some 20 ms; one of them in a hundred is hit: a kill every two seconds, always of the owner.
    while (!world.live(() => random() < 0.01)) kills++;
    assert.deepEqual(world.condemned, [], `seed ${seed}`);
  }
  assert.ok(kills > 100, `${kills} kills`);
});

test('four kills at one record condemn it, three do not', () => {
  for (const [kills, expected] of [
    [3, []],
    [4, [0]],
  ] as const) {
    const world = partition(5, 8);
    for (let n = 0; n < kills; n++) world.live((from) => from === 0);
    world.live(() => false);
    assert.deepEqual(world.condemned, expected);
  }
});

test('after the last accused offset, and at rest, nothing is accused', () => {
  assert.equal(suspicionAt(undefined, 7), NOBODY);
  assert.equal(suspicionAt({ deaths: 0, until: 9, atWork: false }, 7), NOBODY);
  assert.equal(suspicionAt({ deaths: 2, until: 7, atWork: false }, 7), NOBODY);
  assert.deepEqual(suspicionAt({ deaths: 2, until: 9, atWork: false }, 7), { deaths: 2, until: 9 });
  assert.deepEqual(suspicionAt({ deaths: 0, until: 3, atWork: true }, 7), { deaths: 1, until: 8 });
  assert.deepEqual(suspicionAt({ deaths: 9, until: 9, atWork: true }, 7), { deaths: 9, until: 9 });
  assert.equal(passed({ deaths: 3, until: 9 }, 9), NOBODY);
  assert.deepEqual(passed({ deaths: 3, until: 9 }, 8), { deaths: 2, until: 9 });
});
