import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKeyTemplate } from '../../../src/codecs/key-template.ts';
import { type Column, labelColumn, numberColumn } from '../../../src/kernel/columns.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { DROPPED, FATES, OPEN, REASONS } from '../../../src/kernel/fate.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import type { Plan, ReadPlan } from '../../../src/plan/plan.ts';
import { createDetails } from '../../../src/stages/details.ts';
import { createEnrich } from '../../../src/stages/enrich.ts';
import { isolate } from '../../../src/stages/isolate.ts';
import { FakeStore } from '../../fixtures/fakes.ts';
import { emptyRecords, textColumn } from '../../fixtures/frames.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

/** A plan that reads one number for each key after the model; slot 0 is the prediction, the event's columns come behind it. */
function planOf(key: string, read: Partial<ReadPlan> = {}, enriched = false): Plan {
  const plan = testPlan({ enriched });
  const slots: Readonly<Record<string, number>> = { 'prediction.y': 0, id: 1, x: 2, key: 3 };
  const [made] = testPlan({ enriched: true, read }).reads;
  const detail = { ...made, table: 'details', key: parseKeyTemplate(key, (name) => slots[name]) };
  const from = plan.reads.length;
  return {
    ...plan,
    reads: [...plan.reads, detail],
    details: { from, columns: [{ name: 'details.f.f', kind: 'number', width: 1, read: from, offset: 0 }] },
  };
}

function start(key = '{prediction.y}', read: Partial<ReadPlan> = {}) {
  const deps = stageDeps();
  const store = new FakeStore();
  for (const [row, value] of [
    ['7', 70],
    ['8', 80],
    ['lamp', 10],
    ['a#7', 1],
  ] as const)
    store.rows.set(row, value);
  return { deps, store, details: createDetails({ ...deps, store }, planOf(key, read)) };
}

function predicted(column: Column, count: number): Frame {
  const frame = emptyRecords(ORIGIN, 0, count);
  const keys = Array.from({ length: count }, () => 'a');
  frame.columns = [textColumn(keys), textColumn(keys), textColumn(keys)];
  frame.predictions = [column];
  return frame;
}

function numbers(...values: number[]): Column {
  const column = numberColumn(values.length);
  column.values.set(values);
  return column;
}

function looked(frame: Frame): number[] {
  assert.equal(frame.predictions.length, 2);
  const [, column] = frame.predictions;
  assert.ok(column.kind === 'number');
  return Array.from(column.values);
}

const fates = (frame: Frame): string[] =>
  Array.from(frame.fate, (fate, i) => (fate === OPEN ? 'open' : `${FATES[fate]} ${REASONS[frame.reason[i]]}`));

test('distinct whole numbers are asked for once; what makes no key and what is not there is missing', async () => {
  const { deps, store, details } = start();
  const frame = predicted(numbers(7, 8, 7, 9, 7.5, Number.NaN, 2 ** 60), 7);
  await deps.clock.run(details(frame) as Promise<void>);
  assert.deepEqual(store.reads, [['7', '8', '9']]);
  assert.deepEqual(looked(frame), [70, 80, 70, ...Array(4).fill(Number.NaN)]);
  assert.deepEqual(fates(frame), Array(7).fill('open'));
});

test('a label is a key as it is written; one that is missing is none', async () => {
  const { deps, store, details } = start();
  const labels = labelColumn(3, [Buffer.from('chair'), Buffer.from('lamp')]);
  labels.codes.set([1, -1, 0]);
  const frame = predicted(labels, 3);
  await deps.clock.run(details(frame) as Promise<void>);
  assert.deepEqual(store.reads, [['chair', 'lamp']]);
  assert.deepEqual(looked(frame), [10, Number.NaN, Number.NaN]);
});

test('fields of the event and predictions make a key together; what has a fate already is not asked for', async () => {
  const { deps, store, details } = start('{key}#{prediction.y}');
  const frame = predicted(numbers(7, 8), 2);
  frame.fate[1] = DROPPED;
  await deps.clock.run(details(frame) as Promise<void>);
  assert.deepEqual(store.reads, [['a#7']]);
  assert.deepEqual(looked(frame), [1, Number.NaN]);
});

test('onMissing: dead-letter takes the records that found nothing, or had no key', async () => {
  const { deps, details } = start('{prediction.y}', { onMissing: ['dead-letter'] });
  const frame = predicted(numbers(7, 9, Number.NaN), 3);
  await deps.clock.run(details(frame) as Promise<void>);
  const dead = 'dead-lettered details-missing';
  assert.deepEqual(fates(frame), ['open', dead, dead]);
});

test('a run that is repeated leaves what one would: the record that the stage breaks on is the only one lost', async () => {
  const { deps, store } = start();
  const read = store.read.bind(store);
  store.read = async (asked) => {
    if (asked.keys.some((key) => String(key) === '9')) throw new TypeError('no such key');
    await read(asked);
  };
  const details = isolate(deps, 'details', createDetails({ ...deps, store }, planOf('{prediction.y}')));
  const frame = predicted(numbers(7, 9, 8), 3);
  await deps.clock.run(details(frame) as Promise<void>);
  assert.deepEqual(fates(frame), ['open', 'dead-lettered stage-failed', 'open']);
  assert.deepEqual([looked(frame)[0], looked(frame)[2]], [70, 80]);
  assert.equal(frame.failedIn?.get(1), 'details');
});

test('a store that is away holds the frame until it is back, and nobody is lost', async () => {
  const { deps, store, details } = start();
  const read = store.read.bind(store);
  let away = 3;
  store.read = async (asked) => {
    if (away-- > 0) throw new SluiceError('store-unavailable', 'the store is away');
    await read(asked);
  };
  const frame = predicted(numbers(7), 1);
  await deps.clock.run(details(frame) as Promise<void>);
  assert.deepEqual([looked(frame), fates(frame), away], [[70], ['open'], -1]);
});

test('rows of the cache need no call, and no promise', async () => {
  const cache = { entries: 10, ttlMs: 60_000, negativeTtlMs: 1_000 };
  const { deps, store, details } = start('{prediction.y}', { cache });
  await deps.clock.run(details(predicted(numbers(7), 1)) as Promise<void>);
  const frame = predicted(numbers(7), 1);
  assert.equal(details(frame), undefined);
  assert.deepEqual([looked(frame), store.reads.length], [[70], 1]);
});

test('enrich reads what is its own, and details date no record', async () => {
  const deps = stageDeps();
  const store = new FakeStore();
  store.rows.set('a', 5).set('7', 70);
  const plan = planOf('{prediction.y}', {}, true);
  const frame = predicted(numbers(7), 1);
  await deps.clock.run(createEnrich({ ...deps, store }, plan)(frame) as Promise<void>);
  assert.deepEqual([store.reads, frame.reads.length], [[['a']], 1]);
  const dated = Array.from(frame.featuresAtMs);
  const read = store.read.bind(store);
  store.read = async (asked) => {
    await read(asked);
    asked.into.writtenAtMs.fill(0.5);
  };
  await deps.clock.run(createDetails({ ...deps, store }, plan)(frame) as Promise<void>);
  assert.deepEqual([looked(frame), Array.from(frame.featuresAtMs)], [[70], dated]);
});

test('a topology without details has no such stage to wait for', () => {
  const deps = stageDeps();
  const frame = predicted(numbers(7), 1);
  assert.equal(createDetails({ ...deps, store: new FakeStore() }, testPlan())(frame), undefined);
  assert.equal(frame.predictions.length, 1);
});
