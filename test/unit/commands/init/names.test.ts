import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Ran, runHere } from '../../../fixtures/io.ts';
import { type Value, writeOnnx } from '../../../fixtures/onnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-init-names-'));
after(() => rmSync(folder, { recursive: true }));

type Field = readonly [name: string, type: unknown];
const NUMBERS: readonly Field[] = ['x', 'z'].map((name) => [name, 'double']);
const SYMBOLS: Field = ['channel', { type: 'enum', name: 'Channel', symbols: ['WEB', 'APP'] }];
const f32 = (name: string, width: number): Value => ({ name, dtype: 'float32', shape: ['N', width] });

/** A model of one input, which comes out through a sigmoid. */
async function init(
  fields: readonly Field[],
  input: Value,
  output = 'risk',
): Promise<Ran & { readonly topology: string }> {
  const dir = mkdtempSync(join(folder, 'p'));
  const event = join(dir, 'event.avsc');
  const of = fields.map(([name, type]) => ({ name, type }));
  writeFileSync(event, JSON.stringify({ type: 'record', name: 'Tap', fields: of }));
  const nodes = [{ op: input.dtype === 'string' ? 'Identity' : 'Sigmoid', inputs: [input.name], output }];
  const onnx = writeOnnx({ inputs: [input], outputs: [{ ...input, name: output }], nodes }, folder);
  const ran = await runHere(['init', join(dir, 'made'), '--event', event, '--model', onnx, '--name', 'risk']);
  return { ...ran, topology: join(dir, 'made/risk.yaml') };
}

const bundleOf = (topology: string): string =>
  readFileSync(join(topology, '../models/risk/1/bundle.yaml'), 'utf8').replaceAll("'", '');

for (const [name, made, holds] of [
  ['an input named as a field, and wider', () => init(NUMBERS, f32('x', 2)), 'x: event.x\n    z: event.z\n'],
  [
    'a symbol and a field that make one name',
    () => init([SYMBOLS, ['channel_APP', 'double']], f32('in', 3)),
    'channel_APP: event.channel == "APP"\n    channel_APP_2: event.channel_APP\n',
  ],
  ['an output named null', () => init(NUMBERS, f32('in', 2), 'null'), '  null_: output("null") '],
  ['an output named event', () => init(NUMBERS, f32('in', 2), 'event'), '  event_: output("event") '],
] as const) {
  test(`what is proposed fits: ${name}`, async () => {
    const { code, stderr, topology } = await made();
    assert.equal(code, 0, stderr);
    assert.ok(bundleOf(topology).includes(holds), bundleOf(topology));
    const check = await runHere(['check', topology]);
    assert.equal(check.code, 0, check.stderr);
  });
}

test('an input of a type that no line gives is said at once', async () => {
  const { stderr } = await init([...NUMBERS, ['t', 'string']], { name: 't', dtype: 'string', shape: ['N', 1] });
  assert.match(stderr, /"t" takes string values, which no line gives: export the model with an input of float32/);
});

test('names that cannot be are refused with the name', async () => {
  const wide = await init([['größe', 'double']], f32('in', 1));
  assert.equal(wide.code, 2);
  assert.match(wide.stderr, /schema\.fields\[0\] is named "größe", and a name of Avro has the letters/);
  const proto = await init([['__proto__', 'double']], f32('in', 1));
  assert.match(proto.stderr, /"__proto__" is reserved, and cannot be a field; rename it/);
});
