import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadBundle } from '../../../src/bundle/load.ts';
import { loadTransforms } from '../../../src/bundle/transforms.ts';
import { compileInputs } from '../../../src/features/inputs.ts';
import type { Transforms } from '../../../src/features/transforms.ts';
import { evaluate, linesOf, scopeOf } from '../../fixtures/expressions.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-transforms-'));
after(() => rmSync(root, { recursive: true, force: true }));

const TWICE =
  'export const twice = { takes: [1], gives: 1, apply(x: Float64Array, y: Float64Array) { y[0] = 2 * x[0]; } };';

function load(files: Readonly<Record<string, string>>, expression: string): Transforms {
  const folder = mkdtempSync(join(root, 'bundle-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return loadTransforms(folder, [expression], new Set(Object.keys(files)));
}

function finding(files: Readonly<Record<string, string>>, expression: string): string {
  const inputs = [{ name: 'f', dtype: 'float32' as const, lines: linesOf({ x: expression }) }];
  const { findings } = compileInputs({ let: [], inputs, scope: scopeOf(), transforms: load(files, expression) });
  assert.equal(findings.length, 1);
  return `${findings[0].column} ${findings[0].message} | ${findings[0].remedy}`;
}

test('a function of the bundle is called with its values, anywhere in an expression', () => {
  const expression = '[1, 1 + use("./own.ts", "twice", 3 < 4 ? use("./own.ts", "twice", 5) : 0)]';
  assert.deepEqual(evaluate({ x: expression }, { transforms: load({ 'own.ts': TWICE }, expression) }).rows, [[1, 21]]);
});

test('a file may import other files of the bundle', () => {
  const files = { 'own.ts': `export { twice } from './other.ts';`, 'other.ts': TWICE };
  const expression = 'use("./own.ts", "twice", 4)';
  assert.deepEqual(evaluate({ x: expression }, { transforms: load(files, expression) }).rows, [[8]]);
});

const WRONG: readonly (readonly [string, Readonly<Record<string, string>>, string, RegExp])[] = [
  ['a file that does not exist', {}, 'use("./own.ts", "f", 1)', /^5 use: .\/own.ts is not in .* \| name a .ts or/],
  ['a path that leaves the bundle', {}, 'use("../own.ts", "f", 1)', /is not the name of a module in the bundle/],
  [
    'a name that is not exported',
    { 'own.ts': TWICE },
    'use("./own.ts", "half", 1)',
    /^17 use: .* no transform half; it exports: twice \| export const NAME/,
  ],
  [
    'an export that is no transform',
    { 'own.ts': 'export const f = (x) => x;' },
    'use("./own.ts", "f", 1)',
    /no transform f; it exports: none/,
  ],
  ['too many values', { 'own.ts': TWICE }, 'use("./own.ts", "twice", 1, 2)', /twice takes 1 values, not 2/],
  [
    'a wrong width',
    { 'own.ts': TWICE },
    'use("./own.ts", "twice", [1, 2])',
    /^26 use: value 1 of twice is 1 wide, not 2/,
  ],
  [
    'a file that throws',
    { 'own.ts': 'throw new Error("no");' },
    'use("./own.ts", "f", 1)',
    /failed when it was run: no \| repair the file/,
  ],
  [
    'a file that is no TypeScript',
    { 'own.ts': 'export const = 1;' },
    'use("./own.ts", "f", 1)',
    /failed when it was run/,
  ],
  [
    'an import from outside',
    { 'own.ts': 'import "node:fs";' },
    'use("./own.ts", "f", 1)',
    /it imports node:fs, which is outside the folder/,
  ],
  ['an import of a package', { 'own.ts': 'import "zod";' }, 'use("./own.ts", "f", 1)', /failed when it was run: .*zod/],
  ['text as a value', { 'own.ts': TWICE }, 'use("./own.ts", "twice", "a")', /argument 3 is text, not a number/],
];

for (const [what, files, expression, wanted] of WRONG) {
  test(`says where and why: ${what}`, () => assert.match(finding(files, expression), wanted));
}

test('a bundle includes its functions; an edited file is read again', () => {
  const folder = join(root, 'models/hello/1');
  mkdirSync(join(root, 'models/hello'), { recursive: true });
  cpSync(new URL('../../../models/hello/1', import.meta.url), folder, { recursive: true });
  const head = 'bundle: hello\nversion: 1\nmodel: model.onnx\n';
  const body = 'inputs:\n  features:\n    x: \'use("./own.ts", "twice", 1)\'\nprediction:\n  p: probability[0]\n';
  writeFileSync(join(folder, 'bundle.yaml'), head + body);
  const given = (factor: number): number => {
    writeFileSync(join(folder, 'own.ts'), TWICE.replace('2 *', `${factor} *`));
    const loaded = loadBundle(folder);
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const { inputs, transforms } = loaded.bundle;
    return evaluate({ x: inputs[0].lines[0].expression }, { transforms }).rows[0][0];
  };
  assert.deepEqual([given(2), given(3)], [2, 3]);
});
