import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { loadBundle } from '../../../src/bundle/load.ts';
import { formatFindings } from '../../../src/documents/finding.ts';

const YAML = `bundle: toy
version: 1
model: model.onnx
inputs: { x: { a: event.a } }
prediction: { p: "y[0]" }
`;

function withFiles(files: Readonly<Record<string, string>>, run: (models: string) => void): void {
  const models = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(models, name)), { recursive: true });
      writeFileSync(join(models, name), text);
    }
    run(models);
  } finally {
    rmSync(models, { recursive: true, force: true });
  }
}

function bundleAt(path: string) {
  const loaded = loadBundle(path);
  assert.ok(loaded.ok, loaded.ok ? '' : formatFindings(loaded.findings));
  return loaded.bundle;
}

function findingsAt(path: string) {
  const loaded = loadBundle(path);
  assert.ok(!loaded.ok);
  return loaded.findings;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('NAME is resolved to its numerically highest version; NAME/VERSION to that one', () => {
  const version = (n: string) => ({
    [`toy/${n}/bundle.yaml`]: YAML.replace('version: 1', `version: ${n}`),
    [`toy/${n}/model.onnx`]: n,
  });
  withFiles({ ...version('2'), ...version('9'), ...version('10'), 'toy/latest.txt': '', 'toy/11': '' }, (models) => {
    assert.equal(bundleAt(join(models, 'toy')).version, '10');
    assert.equal(bundleAt(join(models, 'toy/9')).version, '9');
    assert.match(bundleAt(join(models, 'toy/2')).label, /^toy@2#[0-9a-f]{12}$/);
  });
});

test('the digest is the sha256 over PATH and SHA256 of every file, sorted by the bytes of the path', () => {
  const files = {
    'B.txt': 'b',
    'a.txt': '',
    'bundle.yaml': YAML,
    'model.onnx': 'm',
    'sub/z.bin': 'z',
    'sub.txt': 's',
    é: 'e',
  };
  const order = ['B.txt', 'a.txt', 'bundle.yaml', 'model.onnx', 'sub.txt', 'sub/z.bin', 'é'] as const;
  const placed = Object.fromEntries(Object.entries(files).map(([name, text]) => [`toy/1/${name}`, text]));
  withFiles(placed, (models) => {
    const { digest, label } = bundleAt(join(models, 'toy'));
    assert.equal(digest, sha256(order.map((name) => `${name}\n${sha256(files[name])}\n`).join('')));
    assert.equal(label, `toy@1#${digest.slice(0, 12)}`);
    writeFileSync(join(models, 'toy/1/sub/z.bin'), 'changed');
    assert.notEqual(bundleAt(join(models, 'toy')).digest, digest);
  });
});

test('links and anything that is not a regular file are refused anywhere', () => {
  withFiles(
    { 'toy/1/bundle.yaml': YAML, 'toy/1/model.onnx': 'm', 'toy/1/sub/weights': 'w', outside: 'o' },
    (models) => {
      symlinkSync(join(models, 'outside'), join(models, 'toy/1/soft'));
      linkSync(join(models, 'outside'), join(models, 'toy/1/sub/hard'));
      symlinkSync(models, join(models, 'toy/1/folder'));
      assert.deepEqual(
        findingsAt(join(models, 'toy'))
          .map(({ file, message }) => `${file.slice(models.length)} ${message}`)
          .sort(),
        [
          '/toy/1/folder is a symbolic link',
          '/toy/1/soft is a symbolic link',
          '/toy/1/sub/hard has more than one hard link',
        ],
      );
    },
  );
});

test('order is that of the file, even for names that look like numbers; places are those of the text', () => {
  const yaml = `bundle: toy
version: 1
model: model.onnx
let:
  b: event.b
  a: 'event.a + b'
inputs:
  input:
    z: 1.50
    y: event.y
  0:
    shape: [1, 2]
    x: event.x[2]
prediction:
  q: out[0]
  p: prediction.q
`;
  withFiles({ 'toy/1/bundle.yaml': yaml, 'toy/1/model.onnx': 'm' }, (models) => {
    const bundle = bundleAt(join(models, 'toy'));
    assert.deepEqual(bundle.let, [
      { name: 'b', expression: 'event.b', line: 5, column: 6 },
      { name: 'a', expression: 'event.a + b', line: 6, column: 7 },
    ]);
    assert.deepEqual(
      bundle.inputs.map(({ name, shape, lines }) => ({ name, shape, lines: lines.map((line) => line.expression) })),
      [
        { name: 'input', shape: undefined, lines: ['1.50', 'event.y'] },
        { name: '0', shape: [1, 2], lines: ['event.x[2]'] },
      ],
    );
    assert.deepEqual(
      bundle.prediction.map(({ name }) => name),
      ['q', 'p'],
    );
    assert.ok(Object.isFrozen(bundle) && Object.isFrozen(bundle.inputs[0].lines[0]));
  });
});

test('for a version that does not exist, the existing ones are listed, in order', () => {
  withFiles({ 'toy/2/a.txt': '', 'toy/10/a.txt': '', 'toy/notes/a.txt': '' }, (models) => {
    const loaded = loadBundle(join(models, 'toy/3'));
    assert.ok(!loaded.ok && loaded.absent);
    assert.match(loaded.findings[0].message, /there is no folder .*; existing versions: 2, 10$/);
  });
});

test('a path without a bundle is reported as such, and marked absent', () => {
  withFiles({ 'toy/readme.txt': '' }, (models) => {
    for (const [path, message] of [
      ['none', /there is no folder/],
      ['toy', /no bundle\.yaml and no versions/],
    ] as const) {
      const loaded = loadBundle(join(models, path));
      assert.ok(!loaded.ok && loaded.absent);
      assert.match(loaded.findings[0].message, message);
    }
  });
});

test('the bundles of the repository load', () => {
  const { inputs, goldenFile, modelFile } = bundleAt('models/flight-delay');
  assert.equal(inputs[0].lines.length, 13);
  assert.ok(goldenFile?.endsWith('models/flight-delay/1/golden.jsonl'));
  assert.ok(modelFile.endsWith('models/flight-delay/1/model.onnx'));
  assert.equal(bundleAt('models/hello').name, 'hello');
});
