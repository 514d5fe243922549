import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePredictions } from '../../../src/features/predictions.ts';
import type { OutputRef } from '../../../src/features/types.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { DEAD_LETTERED, DROPPED, OPEN, reasonCode } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import { emptyFrame, linesOf } from '../../fixtures/expressions.ts';

/** Runs predictions over a frame whose records are the rows of `outputs`, one list of values for each row and output. */
function predict(
  lines: Readonly<Record<string, string>>,
  outputs: Readonly<Record<string, readonly (readonly number[])[]>>,
  prepare: (frame: Frame) => void = () => {},
) {
  const refs: OutputRef[] = Object.entries(outputs).map(([name, rows]) => ({ name, width: rows[0].length }));
  const compiled = compilePredictions({ prediction: linesOf(lines), outputs: refs });
  assert.ok(compiled.ok, JSON.stringify(compiled.findings));
  const { program } = compiled;
  const count = Object.values(outputs)[0].length;
  const frame = emptyFrame(count);
  frame.rows = count;
  frame.recordOf = Int32Array.from({ length: count }, (_, i) => i);
  prepare(frame);
  frame.outputs = program.fetches.map((name) => Float64Array.from(outputs[name].flat()));
  program.predict(frame);
  return { frame, program };
}

function numbers(column: Column): number[] {
  assert.ok(column.kind === 'number' || column.kind === 'vector');
  return [...column.values];
}

function labels(column: Column): (string | undefined)[] {
  assert.ok(column.kind === 'label');
  return [...column.codes].map((code) => column.labels[code]?.toString('utf8'));
}

const BANDS = {
  probability: 'probability[0]',
  band: 'band(prediction.probability, "low", 0.2, "medium", 0.5, "high")',
};

test('the flight bundle: a probability and its band; a value equal to a bound gets the name after it', () => {
  const { frame, program } = predict(BANDS, { probability: [[0], [0.19], [0.2], [0.49], [0.5], [1]] });
  assert.deepEqual(program.fetches, ['probability']);
  assert.deepEqual(program.predictions, [
    { name: 'probability', kind: 'number', width: 1 },
    { name: 'band', kind: 'label', width: 1, labels: ['low', 'medium', 'high'] },
  ]);
  const [probability, band] = frame.predictions;
  assert.deepEqual(numbers(probability), [0, 0.19, 0.2, 0.49, 0.5, 1]);
  assert.deepEqual(labels(band), ['low', 'low', 'medium', 'medium', 'high', 'high']);
});

test('entries are by record, rows by recordOf; settled records are skipped', () => {
  const { frame } = predict(BANDS, { probability: [[0.1], [0.3], [0.9], [0.7]] }, (prepared) => {
    prepared.rows = 3;
    prepared.recordOf = Int32Array.of(0, 2, 3);
    decide(prepared, 1, DROPPED, reasonCode('tombstone'));
    decide(prepared, 2, DEAD_LETTERED, reasonCode('model-failed'));
  });
  const [probability, band] = frame.predictions;
  assert.deepEqual(numbers(probability), [0.1, Number.NaN, Number.NaN, 0.9]);
  assert.deepEqual(labels(band), ['low', undefined, undefined, 'high']);
  assert.equal(frame.reason[2], reasonCode('model-failed'));
});

test('an output of one value is a number with or without [0]', () => {
  const { frame } = predict({ plain: 'p', first: 'p[0]', odd: '1 - p' }, { p: [[0.25]] });
  assert.deepEqual(frame.predictions.map(numbers), [[0.25], [0.25], [0.75]]);
});

test('vectors are available whole or by element, even wide ones', () => {
  const wide = Array.from({ length: 100 }, (_, k) => (k === 42 ? 9 : k / 100));
  const { frame, program } = predict(
    {
      scores: 'softmax(scores)',
      best: 'argMax(scores)',
      name: 'label(argMax(scores[0] > 1 ? [1, 0] : [0, 1]), "a", "b")',
      wide: 'wide',
      peak: 'argMax(prediction.wide)',
    },
    {
      scores: [
        [1, 1, 1, 1],
        [0, 800, 0, 0],
      ],
      wide: [wide, wide],
    },
  );
  assert.deepEqual(program.predictions[0], { name: 'scores', kind: 'vector', width: 4 });
  const [scores, best, name, whole, peak] = frame.predictions;
  assert.deepEqual(numbers(scores), [0.25, 0.25, 0.25, 0.25, 0, 1, 0, 0]);
  assert.ok(scores.kind === 'vector');
  assert.deepEqual([...scores.present], [1, 1]);
  assert.deepEqual(numbers(best), [0, 1]);
  assert.deepEqual(labels(name), ['b', 'b']);
  assert.deepEqual(numbers(whole), [...wide, ...wide]);
  assert.deepEqual(numbers(peak), [42, 42]);
});

test('a used output that is not finite dead-letters the record; an unused one does not', () => {
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const rows = [...bad.map((x) => [0.5, x]), [0.5, 0.5]];
  const first = predict({ p: 'scores[0]' }, { scores: rows });
  assert.deepEqual([...first.frame.fate], [OPEN, OPEN, OPEN, OPEN]);
  for (const uses of [
    'scores[1]',
    'sum(scores)',
    'at(scores, 0 + 0)',
    'scores',
    'scores[1] ?? 0',
    'clip(scores[1], 0, 1)',
  ]) {
    const { frame } = predict({ p: uses }, { scores: rows });
    assert.deepEqual([...frame.fate], [DEAD_LETTERED, DEAD_LETTERED, DEAD_LETTERED, OPEN], uses);
    assert.ok([0, 1, 2].every((i) => frame.reason[i] === reasonCode('output-not-finite')));
  }
});

test('only outputs that are read are fetched, in order of first use', () => {
  const { frame, program } = predict(
    { second: 'b', first: 'a', named: 'output("dense/Softmax:0")' },
    { a: [[1]], b: [[2]], c: [[Number.NaN]], 'dense/Softmax:0': [[4]] },
  );
  assert.deepEqual(program.fetches, ['b', 'a', 'dense/Softmax:0']);
  assert.deepEqual(frame.predictions.map(numbers), [[2], [1], [4]]);
});

test('a label can be compared, and an index beyond the names is missing', () => {
  const { frame } = predict(
    { name: 'label(x, "cat", "dog")', isDog: 'prediction.name == "dog"' },
    { x: [[0], [1], [2], [0.5]] },
  );
  const [name, isDog] = frame.predictions;
  assert.deepEqual(labels(name), ['cat', 'dog', undefined, undefined]);
  assert.deepEqual(numbers(isDog), [0, 1, Number.NaN, Number.NaN]);
});

const WRONG: readonly (readonly [string, RegExp])[] = [
  ['event.a', /there is no event\.a/],
  ['nothing', /there is no nothing.*known are p, scores/],
  ['prediction.later', /there is no prediction\.later/],
  ['output("nothing")', /there is no output "nothing"/],
  ['output(1)', /name in quotes/],
  ['"text"', /a number, a vector or a label, not text/],
  ['p[1]', /p has one value per row.*write p or p\[0\]/],
  ['scores[3]', /from 0 to 2/],
  ['band(p, "low", 0.2)', /takes x, then names with a bound between every two/],
  ['band(p, "low", 0.5, "medium", 0.2, "high")', /bounds must rise/],
  ['band(p, "low", 0.5, "low")', /twice/],
  ['band(p, "low", p, "high")', /must be a constant/],
  ['band(p, 1, 2, 3)', /not a string/],
  ['band(scores, "low", 0.2, "high")', /not one number/],
  ['label(p, "a") == "b"', /never true.*one of a/],
];

for (const [expression, message] of WRONG) {
  test(`finds fault with ${expression}`, () => {
    const compiled = compilePredictions({
      prediction: linesOf({ it: expression, later: 'p' }),
      outputs: [
        { name: 'p', width: 1 },
        { name: 'scores', width: 3 },
      ],
    });
    assert.ok(!compiled.ok);
    assert.equal(compiled.findings.length, 1);
    assert.match(`${compiled.findings[0].message} | ${compiled.findings[0].remedy}`, message);
  });
}

test('a prediction has one name', () => {
  const prediction = [...linesOf({ p: 'p' }), ...linesOf({ p: 'p' })];
  const compiled = compilePredictions({ prediction, outputs: [{ name: 'p', width: 1 }] });
  assert.match(compiled.findings[0].message, /p is taken/);
});
