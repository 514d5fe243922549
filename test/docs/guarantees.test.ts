import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { matrix } from '../faults/matrix.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8');

test('every promise P1 to P8 is there, with its conditions where it has some and the tests that show it', () => {
  const sections = text.split(/^### /m).slice(1);
  assert.deepEqual(
    sections.map((section) => section.slice(0, 2)),
    ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8'],
  );
  for (const section of sections) assert.match(section, /^\*Shown by\* /m, section.slice(0, 40));
});

test('every test file that the guarantees name is there', () => {
  const faults = [...text.matchAll(/`((?:real|embedded)\/[a-z-]+)`/g)].map(([, name]) => `test/faults/${name}.test.ts`);
  const others = [...text.matchAll(/`(test\/[\w/.-]+\.ts)`/g)].map(([, name]) => name);
  assert.ok(faults.length > 10 && others.length > 3);
  for (const file of [...faults, ...others]) assert.ok(existsSync(join(ROOT, file)), file);
  assert.ok(readdirSync(join(ROOT, 'test/faults/mutants')).length > 0);
});

test('the rows that the guarantees say go without a test are those of the matrix', () => {
  const [, said] = /says it of rows ([^;\n]*)\./.exec(text) ?? [];
  const rows = [...(said ?? '').matchAll(/\b(\d+) \(/g)].map(([, row]) => Number(row));
  const argued = matrix()
    .filter(({ argued: why }) => why !== undefined)
    .map(({ row }) => row);
  assert.deepEqual(rows, argued);
});
