import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { type Prepared, prepare } from '../../../src/check/prepare.ts';
import { formatFindings } from '../../../src/documents/finding.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import type { TensorSpec } from '../../../src/ports/model.ts';
import { FILES, type FileName, SIGNATURE, writeSample } from './sample.ts';

const BUNDLE = 'models/sample/1/bundle.yaml';

interface Change {
  readonly files?: Partial<Record<FileName, string>>;
  readonly inputs?: readonly TensorSpec[];
  readonly outputs?: readonly TensorSpec[];
}

async function prepared({
  files,
  inputs = SIGNATURE.inputs,
  outputs = SIGNATURE.outputs,
}: Change = {}): Promise<Prepared> {
  const { folder, remove } = writeSample(files);
  try {
    const runtime = { inspect: async () => ({ inputs, outputs }) };
    return await prepare(join(folder, 'topology.yaml'), { env: {}, runtime });
  } finally {
    remove();
  }
}

async function planned(change?: Change): Promise<Plan> {
  const { plan, findings } = await prepared(change);
  assert.ok(plan, formatFindings(findings));
  return plan;
}

async function messages(change: Change): Promise<readonly string[]> {
  const { plan, findings } = await prepared(change);
  assert.equal(plan, undefined);
  return findings.map(({ path, message }) => `${path}: ${message}`);
}

const edited = (file: FileName, from: string, to: string) => ({
  files: { [file]: FILES[file].replace(from, () => to) },
});

test('each column is wanted once: the bundle keeps its slots; keys and output fields follow', async () => {
  const plan = await planned();
  assert.deepEqual(plan.wants, [
    { field: 'amount', kind: 'number', width: 1 },
    { field: 'origin', kind: 'string', width: 1 },
    { field: 'id', kind: 'long', width: 1 },
  ]);
  assert.deepEqual(plan.wants.slice(0, plan.inputs.wants.length), plan.inputs.wants);
  assert.deepEqual(plan.outputKey, { source: '{id}', parts: [{ slot: 2 }] });
  assert.deepEqual(plan.outputFields, [
    { name: 'id', source: { from: 'event', slot: 2 } },
    { name: 'score', source: { from: 'prediction', slot: 0 } },
    { name: 'band', source: { from: 'prediction', slot: 1 } },
    { name: 'model', source: { from: 'constant', value: plan.bundle.digest.slice(0, 12) } },
  ]);
  assert.deepEqual(plan.predictions.fetches, ['probability']);
});

test('entries with the same table and key share one read, with a new layout', async () => {
  const { reads } = await planned();
  assert.equal(reads.length, 1);
  const [read] = reads;
  assert.equal(read.rowWidth, 5);
  assert.deepEqual(read.key, { source: '{origin}', parts: [{ slot: 1 }] });
  assert.deepEqual(
    read.views.map((view) => [view.name, ...view.columns.map((column) => column.offset)]),
    [
      ['origin', 0],
      ['hist', 1],
    ],
  );
  assert.deepEqual(read.onMissing, ['impute', 'impute']);
});

test('another key, or another table, is another read', async () => {
  const key = edited('topology.yaml', 'key: "{origin}"\n    views: { hist', 'key: "{id}"\n    views: { hist');
  const { reads, wants } = await planned(key);
  assert.deepEqual(
    reads.map(({ key, rowWidth, views }) => [key.source, rowWidth, views[0].columns[0].offset]),
    [
      ['{origin}', 1, 0],
      ['{id}', 4, 0],
    ],
  );
  assert.equal(wants.length, 3);
});

test('the model can be named four ways in the output', async () => {
  for (const [source, value] of [
    ['label', /^sample@1#[0-9a-f]{12}$/],
    ['digest', /^[0-9a-f]{12}$/],
    ['name', /^sample$/],
    ['version', /^1$/],
  ] as const) {
    const { outputFields } = await planned(edited('topology.yaml', 'model.digest', `model.${source}`));
    const field = outputFields.find(({ name }) => name === 'model');
    assert.ok(field?.source.from === 'constant');
    assert.match(String(field.source.value), value);
  }
});

test('a vector may be passed through with the width that the bundle reads it in', async () => {
  const output = FILES['output.avsc'].replace(
    '"name": "note", "type": "string", "default": ""',
    '"name": "note", "type": { "type": "array", "items": "double" }',
  );
  const topology = FILES['topology.yaml'].replace('    id: event.id', '    id: event.id\n    note: event.curve');
  const refused = await messages({ files: { 'output.avsc': output, 'topology.yaml': topology } });
  assert.deepEqual(refused, [
    `output.fields.note: event.curve is array of float, the field array of double (${refused[0]?.match(/\(([^)]*)\)/)?.[1]}), and nothing says how many values it has`,
  ]);
  const bundle = FILES[BUNDLE].replace('amount: event.amount ?? 0', 'amount: sum(event.curve[3])');
  const { wants, outputFields } = await planned({
    files: { 'output.avsc': output, 'topology.yaml': topology, [BUNDLE]: bundle },
  });
  assert.deepEqual(wants[0], { field: 'curve', kind: 'vector', width: 3 });
  assert.deepEqual(outputFields[1], { name: 'note', source: { from: 'event', slot: 0 } });
});

test('an expression that always gives a whole number may become a long', async () => {
  const files = {
    [BUNDLE]: FILES[BUNDLE].replace('score: probability[0]', 'score: probability[0]\n  best: argMax(probability)'),
    'topology.yaml': FILES['topology.yaml'].replace('event.id\n', 'prediction.best\n'),
  };
  const { outputFields } = await planned({ files });
  assert.deepEqual(outputFields[0], { name: 'id', source: { from: 'prediction', slot: 1 } });
});

const input = (shape: readonly (number | string)[], dtype: TensorSpec['dtype'] = 'float32'): Change => ({
  inputs: [{ name: 'features', dtype, shape }],
});
const stated = (shape: string, model: readonly (number | string)[]): Change => ({
  ...edited(BUNDLE, '  features:\n', `  features:\n    shape: ${shape}\n`),
  ...input(model),
});

test('the shape of a row follows from the model, or is stated if the model leaves it open', async () => {
  for (const [change, rowShape] of [
    [input(['N', 4]), [4]],
    [input([-1, 2, 2]), [2, 2]],
    [input(['N', 'width']), [4]],
    [stated('[1, 4]', ['', 1, '']), [1, 4]],
    [stated('[2, 2]', ['N', 2, 'M']), [2, 2]],
  ] as const) {
    const { feeds } = await planned(change);
    assert.deepEqual(feeds, [{ name: 'features', rowShape, dtype: 'float32' }]);
  }
});

test('a shape that does not fit is refused, and open axes must be stated', async () => {
  for (const [change, message] of [
    [input(['N', 2, 'M']), 'inputs.features: the model leaves axes of a row open ([N, 2, M])'],
    [input(['N', 5]), 'inputs.features: the lines give 4 values per row, and the model wants 5 ([N, 5])'],
    [input([]), 'inputs.features: the model\'s input "features" has no axis for the batch'],
    [input([8, 4]), 'inputs.features: the model\'s input "features" takes exactly 8 rows per run'],
    [input(['N', 4], 'string'), 'inputs.features: the model wants string values for "features"'],
    [stated('[4]', ['N', 2, 'M']), "inputs.features.shape: shape [4] does not fit the model's [N, 2, M]"],
    [stated('[2, 3]', ['N', 2, 'M']), 'inputs.features.shape: shape [2, 3] holds 6 values, and the lines give 4'],
  ] as const)
    assert.deepEqual(await messages(change), [message]);
});

test('a model that takes one row per run is accepted if maxBatch is 1', async () => {
  const one = edited('topology.yaml', 'deadLetter:', 'flow: { maxBatch: 1 }\ndeadLetter:');
  assert.deepEqual((await planned({ ...one, ...input([1, 4]) })).feeds[0].rowShape, [4]);
});

test('an output that declares fewer rows per run than a batch may have is a warning with a remedy', async () => {
  const fixed = (rows: number): Change => ({
    outputs: SIGNATURE.outputs.map((each) => ({ ...each, shape: [rows, ...each.shape.slice(1)] })),
  });
  const warned = async (change: Change) => {
    const { plan, findings } = await prepared(change);
    assert.ok(plan, formatFindings(findings));
    return findings.filter(({ message }) => message.includes('per run'));
  };
  const [one, ...more] = await warned(fixed(1));
  assert.deepEqual([one.severity, one.code, one.path, more], ['warning', 'model-mismatch', 'prediction.score', []]);
  assert.match(
    one.message,
    /declares one row per run \(\[1, \d+\]\), whatever the input: if that is true, batches of another size fail/,
  );
  assert.match(one.remedy, /dynamic_axes=.*flow\.maxBatch: 1/);
  assert.match((await warned(fixed(8)))[0].message, /declares 8 rows per run/);
  assert.deepEqual(await warned({}), []);
  const single = edited('topology.yaml', 'deadLetter:', 'flow: { maxBatch: 1 }\ndeadLetter:');
  assert.deepEqual(await warned({ ...fixed(1), ...single }), []);
});

test('an input of the model that nothing fills is an error', async () => {
  const extra: TensorSpec = { name: 'extra', dtype: 'float32', shape: ['N', 1] };
  assert.deepEqual(await messages({ inputs: [...SIGNATURE.inputs, extra] }), [
    'inputs: the model has an input "extra" that nothing fills',
  ]);
});

test('outputs that cannot be fetched do not matter if no prediction names them', async () => {
  assert.ok((await planned()).predictions.fetches.every((name) => name !== 'zipmap' && name !== 'open'));
});

test('a model that cannot be read is a finding in bundle.yaml', async () => {
  const { folder, remove } = writeSample();
  try {
    const inspect = () => Promise.reject(new Error('no protobuf'));
    const { plan, findings } = await prepare(join(folder, 'topology.yaml'), { env: {}, runtime: { inspect } });
    assert.equal(plan, undefined);
    assert.deepEqual(
      findings.map(({ file, line, path, message }) => ({ file, line, path, message })),
      [{ file: join(folder, BUNDLE), line: 3, path: 'model', message: 'no protobuf' }],
    );
  } finally {
    remove();
  }
});

test('several faults are reported together', async () => {
  const files = {
    'topology.yaml': FILES['topology.yaml'].replace('event.id', 'event.idd'),
    [BUNDLE]: FILES[BUNDLE].replace('event.amount', 'event.amout').replace('probability[0]', 'probabilty[0]'),
  };
  const found = await messages({ files });
  for (const path of ['output.fields.id', 'inputs.features.amount', 'prediction.score'])
    assert.ok(
      found.some((line) => line.startsWith(`${path}:`)),
      found.join('\n'),
    );
});
