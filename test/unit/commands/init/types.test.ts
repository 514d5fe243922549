import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runHere } from '../../../fixtures/io.ts';
import { writeOnnx } from '../../../fixtures/onnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-init-types-'));
after(() => rmSync(folder, { recursive: true }));

const NUMBER = ['amount', 'double'];

/** A schema of these fields, and a model of inputs that are so wide. */
async function init(fields: readonly (readonly unknown[])[], ...widths: readonly number[]) {
  const dir = mkdtempSync(join(folder, 'p'));
  const event = join(dir, 'event.avsc');
  writeFileSync(
    event,
    JSON.stringify({ type: 'record', name: 'Tap', fields: fields.map(([name, type]) => ({ name, type })) }),
  );
  const values = (name: string) =>
    widths.map((width, i) => ({ name: `${name}${i}`, dtype: 'float32' as const, shape: ['N', width] }));
  const nodes = widths.map((_, i) => ({ op: 'Sigmoid', inputs: [`x${i}`], output: `risk${i}` }));
  const onnx = writeOnnx({ inputs: values('x'), outputs: values('risk'), nodes }, folder);
  const made = join(dir, 'made');
  const ran = await runHere(['init', made, '--event', event, '--model', onnx, '--name', 'risk']);
  return { ...ran, dir: made, bundle: readFileSync(join(made, 'models/risk/1/bundle.yaml'), 'utf8') };
}

test('decimals, times in other units and texts with a form of their own: columns, hints and records that fit them', async () => {
  const fields = [
    NUMBER,
    ['fare', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }],
    ['tapped', { type: 'long', logicalType: 'timestamp-micros' }],
    ['day', { type: 'int', logicalType: 'date' }],
    ['trip', { type: 'string', logicalType: 'uuid' }],
    ['took', { type: 'fixed', name: 'Took', size: 12, logicalType: 'duration' }],
    ['mark', ['null', { type: 'fixed', name: 'Mark', size: 6 }]],
  ];
  const { code, dir, bundle, stdout, stderr } = await init(fields, 2);
  assert.equal(code, 0, stderr);
  assert.match(bundle, /^ {4}amount: event\.amount\n {4}fare: event\.fare$/m);
  assert.match(
    bundle,
    /# tapped is a time: such as tod: cyclic\(mod\(floorDiv\(event\.tapped, 60000000\), 1440\), 1440, 1\)/,
  );
  assert.match(bundle, /# day is a time: such as weekday: cyclic\(mod\(event\.day, 7\), 7, 1\)/);
  assert.match(stdout, /golden/, 'the records went through the model');
  const events = readFileSync(join(dir, 'risk.events.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(events.length, 2);
  assert.deepEqual([events[0].fare, events[0].tapped, events[0].day], [0.01, 991_595_400_000_000, 11_476]);
  const { code: sent, stderr: told } = await runHere(['dev', join(dir, 'risk.yaml'), '--exit']);
  assert.equal(sent, 0, told);
});

test('a list of numbers that is left over is told with how it is written', async () => {
  const { bundle } = await init([NUMBER, ['image', { type: 'array', items: 'float' }]], 1);
  assert.match(bundle, /# image is a list of numbers: image: event\.image\[4\], as many as the model was trained on/);
});

test('a list is not stretched over several inputs', async () => {
  const { bundle } = await init([NUMBER, ['image', { type: 'array', items: 'float' }]], 6, 1);
  assert.doesNotMatch(bundle, /image\[7\]/);
  assert.match(bundle, /^ {4}amount: event\.amount\n {4}# 5 columns of "x0" missing/m);
  assert.match(bundle, /# image is a list of numbers/);
});
