import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { REASONS } from '../../src/kernel/fate.ts';
import { brokenLinks, fencesOf, missingPaths, pages, ROOT, read, sourceText, tableOf } from './pages.ts';

const PAGES = pages();
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

test('links lead somewhere, and files named in the text are there', () => {
  assert.ok(PAGES.length > 10);
  const broken = PAGES.flatMap((page) =>
    [...brokenLinks(page), ...missingPaths(page)].map((target) => `${page.path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test('a broken link, a heading that is gone and a missing file are found', () => {
  const text = '[a](NOWHERE.md) [b](README.md#no-such) [c](README.md#limits) [d](https://example.org) `src/nothing.ts`';
  const page = { path: 'planted.md', text };
  assert.deepEqual(brokenLinks(page), ['NOWHERE.md', 'README.md#no-such']);
  assert.deepEqual(missingPaths(page), ['src/nothing.ts']);
});

test('npm scripts that pages name exist', () => {
  for (const { path, text } of PAGES) {
    for (const [, name] of text.matchAll(/npm run (?:--\S+ )*([a-z][\w:]*)/g)) {
      assert.ok(Object.hasOwn(scripts, name), `${path}: npm run ${name}`);
    }
  }
});

test('YAML and JSON in pages can be read', () => {
  for (const fence of PAGES.flatMap(fencesOf)) {
    if (fence.info[0] === 'json') JSON.parse(fence.body);
    if (fence.info[0] === 'yaml') parse(fence.body);
  }
});

test('code that is marked is run: `run` on any page, `guide` in the guide; other marks mean nothing', () => {
  for (const { path, info } of PAGES.flatMap(fencesOf)) {
    const [language, mark] = info;
    if (mark === undefined) continue;
    const run = mark === 'run' && language === 'sh';
    const guide = mark === 'guide' && path === 'docs/guide.md' && ['sh', 'yaml', 'json'].includes(language);
    assert.ok(run || guide, `${path}: nothing runs a block marked ${info.join(' ')}`);
  }
});

test('the quick start is two commands', () => {
  const [first] = fencesOf({ path: 'README.md', text: read('README.md') });
  assert.equal(first.body, 'npm ci && npm run demo\nnpm ci && npm test\n');
});

test('the README names every reason of a dead letter', () => {
  const [, listed] = /Reasons: ([^.]+)\./.exec(read('README.md')) ?? [];
  const names = [...(listed ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.deepEqual(
    names,
    REASONS.filter((reason) => reason !== 'none'),
  );
});

test('the glossary is in order, and what it points at is in the code', () => {
  const rows = tableOf(read('docs/glossary.md'), '# Glossary');
  assert.ok(rows.length > 40);
  const words = rows.map(([word]) => word);
  assert.deepEqual(
    words,
    words.toSorted((a, b) => a.localeCompare(b, 'en')),
  );
  const text = sourceText() + read('test/mutants/laws.ts');
  const unknown = rows
    .flatMap(([, , where]) => [...where.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
    .filter((name) => !name.includes('/') && !new RegExp(`\\b${name.split('.').at(-1)}\\b`).test(text));
  assert.deepEqual(unknown, []);
});

test('the functions that a record flows through are in the code', () => {
  const rows = tableOf(read('ARCHITECTURE.md'), '## How a record flows');
  assert.deepEqual(
    rows.map(([step]) => step),
    [
      'arrive',
      'admit',
      'decode',
      'enrich',
      'preprocess',
      'infer',
      'postprocess',
      'details',
      'encode',
      'deliver',
      'commit',
    ],
  );
  const names = rows.flatMap(([, ...cells]) => [...cells.join(' ').matchAll(/`([\w.()]+)`/g)].map(([, name]) => name));
  assert.ok(names.length > 25);
  const unknown = names.filter(
    (name) => !new RegExp(`\\b${name.split(/[.(]/).findLast((part) => /\w/.test(part))}\\b`).test(sourceText()),
  );
  assert.deepEqual(unknown, []);
});

test('every folder and file of src is on the map, and every law has its test', () => {
  const page = read('ARCHITECTURE.md');
  const [, map] = /## Folders\n\n```\n([\s\S]*?)```/.exec(page) ?? [];
  const listed = [...(map ?? '').matchAll(/^ {2}([\w.]+)\/? /gm)].map(([, name]) => name);
  const units = new Set(
    tableOf(page, '<!-- generated: imports -->').map(([unit]) => unit.replaceAll('`', '').split('/')[0]),
  );
  assert.deepEqual(new Set(listed.map((name) => name.replace(/\.ts$/, ''))), units);
  const [, adapters] = /^ {2}adapters\/ +([\w, ]+):/m.exec(map ?? '') ?? [];
  assert.deepEqual(adapters.split(', ').sort(), readdirSync(join(ROOT, 'src/adapters')).sort());
  const laws = tableOf(page, '## Laws');
  assert.equal(laws.length, 8);
  for (const [name, , file] of laws) {
    const [, path] = /`([^`]+)`/.exec(file) ?? [];
    assert.ok(path !== undefined && read(path).includes(name), `${name} is no test of ${path}`);
  }
});

test('every question has an answer, and each answer is a file', () => {
  const questions = [...read('CONTRIBUTING.md').matchAll(/^\d+\. Where .+\?$/gm)];
  const answers = [...read('docs/where-is.md').matchAll(/^\d+\. `([^`]+)`$/gm)].map(([, path]) => path);
  assert.ok(questions.length >= 12);
  assert.equal(answers.length, questions.length);
  for (const path of answers) assert.ok(existsSync(join(ROOT, path)), path);
});
