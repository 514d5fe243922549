import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { externalData } from '../../../../src/commands/init/external-data.ts';
import { type Ran, runHere } from '../../../fixtures/io.ts';
import { type TestModel, type Value, writeOnnx } from '../../../fixtures/onnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-init-'));
after(() => rmSync(folder, { recursive: true }));

const f32 = (name: string, ...shape: readonly (number | string)[]): Value => ({ name, dtype: 'float32', shape });

/** Each input comes out as it went in, through a sigmoid. */
function model(inputs: readonly Value[], outputs: readonly Value[]): TestModel {
  const nodes = inputs.map(({ name }, i) => ({ op: 'Sigmoid', inputs: [name], output: outputs[i].name }));
  return { inputs, outputs, nodes };
}

type Field = readonly [name: string, type: unknown];
const NUMBER: Field = ['amount', 'double'];
const OPTIONAL: Field = ['count', ['null', 'int']];
const FLAG: Field = ['again', 'boolean'];
const SYMBOLS: Field = ['channel', { type: 'enum', name: 'Channel', symbols: ['WEB', 'APP'] }];
const LIST: Field = ['image', { type: 'array', items: 'float' }];
const TEXT: Field = ['city', 'string'];
const ID: Field = ['order_id', 'long'];
const TIME: Field = ['placed', { type: 'long', logicalType: 'timestamp-millis' }];

let made = 0;

interface Made extends Ran {
  readonly dir: string;
  readonly topology: string;
  readonly bundle: string;
}

async function init(fields: readonly Field[], onnx: TestModel, ...more: readonly string[]): Promise<Made> {
  const dir = join(folder, `p${made++}`);
  const event = join(folder, `${made}.avsc`);
  const schema = { type: 'record', name: 'Order', fields: fields.map(([name, type]) => ({ name, type })) };
  writeFileSync(event, JSON.stringify(schema));
  const ran = await runHere([
    'init',
    dir,
    '--event',
    event,
    '--model',
    writeOnnx(onnx, folder),
    '--name',
    'risk',
    ...more,
  ]);
  const bundle = join(dir, 'models/risk/1/bundle.yaml');
  return {
    ...ran,
    dir,
    topology: join(dir, 'risk.yaml'),
    bundle: existsSync(bundle) ? readFileSync(bundle, 'utf8') : '',
  };
}

const x = (width: number) => model([f32('x', 'N', width)], [f32('y', 'N', width)]);
const twice = (a: number, b: number) =>
  model([f32('a', 'N', a), f32('b', 'N', b)], [f32('p', 'N', a), f32('q', 'N', b)]);

const FITTING: readonly (readonly [
  name: string,
  fields: readonly Field[],
  onnx: TestModel,
  lines: readonly string[],
])[] = [
  ['numbers', [ID, NUMBER, OPTIONAL], x(2), ['amount: event.amount', 'count: event.count ?? 0']],
  ['booleans too', [NUMBER, FLAG, TEXT], x(2), ['amount: event.amount', 'again: event.again']],
  ['numbers alone, where they are enough', [NUMBER, FLAG, SYMBOLS], x(1), ['amount: event.amount']],
  [
    'a column a symbol',
    [SYMBOLS, NUMBER],
    x(3),
    ['channel_WEB: event.channel == "WEB"', 'channel_APP: event.channel == "APP"', 'amount: event.amount'],
  ],
  ['times, where the width asks for them', [NUMBER, TIME], x(2), ['amount: event.amount', 'placed: event.placed']],
  [
    'ids, where nothing else is as wide',
    [ID, NUMBER, TIME],
    x(3),
    ['order_id: event.order_id', 'amount: event.amount', 'placed: event.placed'],
  ],
  ['a list alone', [ID, LIST, TEXT], x(16), ['image: event.image[16]']],
  ['bytes that hold float32', [['v', 'bytes']], x(3), ['v: event.v[3]']],
  ['a list beside numbers', [NUMBER, LIST], x(16), ['image: event.image[16]']],
  [
    'a fixed of float32 beside numbers',
    [NUMBER, ['v', { type: 'fixed', name: 'V', size: 12 }]],
    x(4),
    ['amount: event.amount', 'v: event.v'],
  ],
  ['axes behind the first', [LIST], model([f32('x', 'N', 2, 3)], [f32('y', 'N', 2, 3)]), ['image: event.image[6]']],
  [
    'an open width',
    [NUMBER, FLAG],
    model([f32('x', 'N', 'W')], [f32('y', 'N', 2)]),
    ['amount: event.amount', 'again: event.again'],
  ],
  [
    'two inputs, one after the other',
    [NUMBER, OPTIONAL, FLAG],
    twice(1, 2),
    ['amount: event.amount', 'count: event.count ?? 0', 'again: event.again'],
  ],
  [
    'inputs named as fields',
    [
      ['b', 'float'],
      ['a', 'float'],
    ],
    twice(1, 1),
    ['a: event.a', 'b: event.b'],
  ],
  ['a model of one row a run', [NUMBER], model([f32('x', 1, 1)], [f32('y', 1, 1)]), ['amount: event.amount']],
  ['a field named shape', [['shape', 'float'], NUMBER], x(2), ['shape_: event.shape', 'amount: event.amount']],
  [
    'names that are no words',
    [NUMBER],
    model([f32('in/x:0', 'N', 1)], [f32('soft max:0', 'N', 1)]),
    ['amount: event.amount'],
  ],
  [
    'an output named as the key',
    [ID, NUMBER],
    model([f32('x', 'N', 1)], [f32('order_id', 'N', 1)]),
    ['amount: event.amount'],
  ],
];

for (const [name, fields, onnx, lines] of FITTING) {
  test(`what fits passes check and test as it is: ${name}`, async () => {
    const { code, stderr, bundle, topology } = await init(fields, onnx);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /It fits/, stderr);
    const written = bundle.split('\n').filter((line) => /^ {4}\w+: /.test(line));
    assert.deepEqual(
      written.map((line) =>
        line
          .replace(/ +# .*$/, '')
          .trim()
          .replace(/^(\w+: )'(.*)'$/, '$1$2'),
      ),
      lines,
    );
    const check = await runHere(['check', topology]);
    assert.equal(check.code, 0, check.stderr);
    assert.match(check.stderr, /0 errors, 0 warnings; \d golden records? agrees?/);
    const cases = await runHere(['test', topology]);
    assert.equal(cases.code, 0, cases.stdout + cases.stderr);
    assert.match(cases.stdout, /✓ a record as the schema describes it\n/);
  });
}

test('what does not fit says how many columns are missing, and where to write them', async () => {
  const { code, stderr, bundle, topology, stdout } = await init(
    [NUMBER, TEXT, TIME, ['m', { type: 'map', values: 'int' }]],
    x(9),
  );
  assert.equal(code, 0);
  const says = '8 columns of "x" missing: the model wants 9, these lines give 1; write them here';
  assert.ok(bundle.includes(`    amount: event.amount\n    # ${says}`), bundle);
  assert.ok(
    stderr.includes(`Not ready yet. In ${topology.replace('risk.yaml', 'models/risk/1/bundle.yaml')}:\n  ${says}`),
  );
  assert.match(bundle, /# city is text: .*city_A: event\.city == "A"/);
  assert.match(bundle, /# placed is a time: such as tod: cyclic\(/);
  assert.match(bundle, /# m is of a type that cannot be a column/);
  assert.doesNotMatch(stdout, /golden/);
  assert.equal((await runHere(['check', topology])).code, 2);
});

test('too many columns are said to be too many', async () => {
  const { stderr } = await init([NUMBER, OPTIONAL, ['third', 'float']], x(2));
  assert.match(stderr, /1 column of "x" too many: the model wants 2, these lines give 3/);
});

test('an output that cannot be read is named, beside those that can', async () => {
  const all = { op: 'ReduceMax', inputs: ['x'], output: 'all', ints: { keepdims: 0 } };
  const one = model([f32('x', 'N', 1)], [f32('y', 'N', 1)]);
  const text = { op: 'Cast', inputs: ['x'], output: 'text', ints: { to: 8 } };
  const { bundle, code, stderr } = await init([NUMBER], {
    ...one,
    outputs: [...one.outputs, f32('all'), { name: 'text', dtype: 'string', shape: ['N', 1] }],
    nodes: [...one.nodes, all, text],
  });
  assert.equal(code, 0);
  assert.match(
    bundle,
    /# all has one value per run, not one per row: export .*\n {2}# text holds strings: .*\n {2}y: y\n/,
  );
  assert.match(stderr, /^Left out of the predictions: text holds strings: .*options=\{"zipmap": False\}$/m);
});

test('labels of int64, as scikit-learn has them, agree with their golden records', async () => {
  const label = { op: 'Cast', inputs: ['x'], output: 'label', ints: { to: 7 } };
  const { topology, bundle } = await init([NUMBER], {
    inputs: [f32('x', 'N', 1)],
    outputs: [{ name: 'label', dtype: 'int64', shape: ['N', 1] }],
    nodes: [label],
  });
  assert.match(bundle, /^golden: golden\.jsonl$/m);
  const { code, stderr } = await runHere(['check', topology]);
  assert.equal(code, 0, stderr);
});

test('nothing is written over without --force, and nothing at all then', async () => {
  const { dir, topology } = await init([NUMBER], x(1));
  writeFileSync(topology, 'mine');
  rmSync(join(dir, 'risk.cases.yaml'));
  const event = join(folder, `${made}.avsc`);
  const again = ['init', dir, '--event', event, '--model', join(dir, 'models/risk/1/model.onnx'), '--name', 'risk'];
  const refused = await runHere(again);
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /would write over .*risk\.yaml.*nothing was written\. Give another DIR or --name, or --force/,
  );
  assert.equal(readFileSync(topology, 'utf8'), 'mine');
  assert.ok(!existsSync(join(dir, 'risk.cases.yaml')));
  assert.equal((await runHere([...again, '--force'])).code, 0);
  assert.notEqual(readFileSync(topology, 'utf8'), 'mine');
});

test('--json says what was written, whether it fits, and what comes next', async () => {
  const { stdout, topology, dir } = await init([NUMBER], x(1), '--json');
  const { ready, wrote, next, missing } = JSON.parse(stdout);
  assert.equal(ready, true);
  assert.deepEqual(missing, []);
  assert.equal(next[0], `sluice check ${topology}`);
  assert.equal(next.length, 3);
  const events = next[2].split(' ').at(-1);
  const { code, stdout: scored } = await runHere(['batch', topology, '--input', events, '--output', '-']);
  assert.equal(code, 0);
  assert.match(scored, /^\{"y":0\.6/, 'the example events fit');
  assert.ok(wrote.includes(join(dir, 'models/risk/1/golden.jsonl')));
  for (const file of wrote) assert.ok(existsSync(file), file);
});

test('files that are not there, or are something else, are said to be', async () => {
  const onnx = writeOnnx(x(1), folder);
  const avsc = join(folder, 'text.avsc');
  writeFileSync(avsc, '"string"');
  const run = (event: string, file: string, name = 'a') =>
    runHere(['init', join(folder, 'none'), '--event', event, '--model', file, '--name', name]);
  assert.match((await run('no.avsc', onnx)).stderr, /there is no file no\.avsc; give --event an \.avsc file/);
  assert.match((await run(avsc, onnx)).stderr, /text\.avsc: .*a value must be an Avro record/);
  assert.match(
    (await run(onnx, onnx)).stderr,
    /cannot be read as an Avro schema: .*; give --event the \.avsc file that describes/,
  );
  const events = 'schemas/flight-departed.avsc';
  assert.match((await run(events, 'no.onnx')).stderr, /there is no file no\.onnx; give --model an \.onnx file/);
  assert.match(
    (await run(events, avsc)).stderr,
    /text\.avsc cannot be read as a model: .*; give --model a model in the format ONNX/,
  );
  const pickled = join(folder, 'fitted.joblib');
  writeFileSync(pickled, 'nothing');
  assert.match((await run(events, pickled)).stderr, /; tools\/from_sklearn\.py makes a pipeline of it/);
  const named = await run(events, onnx, '../x');
  assert.equal(named.code, 2);
  assert.match(named.stderr, /"\.\.\/x" is no name of a topology/);
  assert.ok(!existsSync(join(folder, 'none')));
});

test('weights that a model keeps in files of their own come along, wherever below it they lie', async () => {
  const own = mkdtempSync(join(folder, 'weights-'));
  mkdirSync(join(own, 'parts'));
  writeFileSync(join(own, 'parts/w.bin'), Buffer.from(Float32Array.of(2, 3).buffer));
  writeFileSync(join(folder, 'outside.bin'), 'secret');
  const onnx: TestModel = {
    inputs: [f32('x', 'n', 2)],
    outputs: [f32('y', 'n', 2)],
    nodes: [{ op: 'Mul', inputs: ['x', 'w'], output: 'y' }],
    external: { w: { location: 'parts/w.bin', length: 2 } },
  };
  const event = join(own, 'order.avsc');
  const fields = [NUMBER, FLAG].map(([name, type]) => ({ name, type }));
  writeFileSync(event, JSON.stringify({ type: 'record', name: 'Order', fields }));
  const dir = join(own, 'made');
  const ran = await runHere(['init', dir, '--event', event, '--model', writeOnnx(onnx, own), '--name', 'risk']);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /It fits/);
  assert.deepEqual([...readFileSync(join(dir, 'models/risk/1/parts/w.bin'))].length, 8);

  const outside = { ...onnx, external: { w: { location: '../outside.bin', length: 2 } } };
  assert.deepEqual(externalData(writeOnnx(outside, own)), []);
});
