import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generated } from '../../docs/tools/reference.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

for (const [path, text] of generated(read)) {
  test(`${path} says what the code says (npm run docs)`, () => {
    assert.equal(read(path), text);
  });
}

test('the dependencies on the page are those of package.json, in version and order', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  const [, section] = read('ARCHITECTURE.md').split('## Dependencies');
  const rows = [...section.matchAll(/^\| `([^`]+)` \| (\S+) \| (.+) \|$/gm)].map(([, name, version, why]) => {
    assert.ok(why.trim().length > 3, `${name} has no reason`);
    return [name, version];
  });
  assert.deepEqual(rows, [...Object.entries(dependencies), ...Object.entries(devDependencies)]);
  const numbers = ['none', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
  assert.match(section, new RegExp(`the last ${numbers[Object.keys(devDependencies).length]}\\b`));
});
