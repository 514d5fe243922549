import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { didYouMean, editDistance, nearest } from '../../../src/documents/did-you-mean.ts';
import { type CheckFinding, formatFindings, hasErrors } from '../../../src/documents/finding.ts';
import { parseYaml } from '../../../src/documents/yaml-document.ts';

const FINDING: CheckFinding = {
  code: 'file-invalid',
  severity: 'error',
  file: 'topologies/x.yaml',
  line: 12,
  column: 18,
  path: 'flow.latencyBudget',
  message: '50 has no unit',
  remedy: 'write 50ms',
  excerpt: '  latencyBudget: 50',
};

test('a finding is printed with its place, path and message, the line with a caret, and the remedy', () => {
  assert.equal(
    formatFindings([FINDING]),
    `topologies/x.yaml:12:18 flow.latencyBudget: 50 has no unit
   12 |   latencyBudget: 50
      |                  ^
   write 50ms
`,
  );
});

test('a warning is marked as one; a finding about a whole file has neither path nor line', () => {
  const whole = { ...FINDING, severity: 'warning', path: '', excerpt: '' } as const;
  assert.equal(formatFindings([whole]), 'topologies/x.yaml:12:18 warning: 50 has no unit\n   write 50ms\n');
  assert.equal(hasErrors([whole]), false);
  assert.equal(hasErrors([whole, FINDING]), true);
});

test('the caret is under its column after tabs and far along a long line', () => {
  const tabs = formatFindings([{ ...FINDING, excerpt: '\t\ta: b', column: 6 }]).split('\n');
  assert.equal(tabs[2], '      | \t\t   ^');
  const excerpt = `${'x'.repeat(500)}HERE${'y'.repeat(500)}`;
  const [, text, caret] = formatFindings([{ ...FINDING, excerpt, column: 501 }]).split('\n');
  assert.ok(text.length < 200);
  assert.equal(text.slice(caret.indexOf('^')).slice(0, 4), 'HERE');
});

test('edit distance counts changes of one letter and swaps of two neighbours, and is symmetric', () => {
  for (const [a, b, distance] of [
    ['', 'abc', 3],
    ['brokers', 'borkers', 1],
    ['kitten', 'sitting', 3],
    ['same', 'same', 0],
  ] as const)
    assert.equal(editDistance(a, b, 9), distance, `${a} ${b}`);
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b, 99), editDistance(b, a, 99));
      assert.equal(editDistance(a, b, 99) === 0, a === b);
      assert.ok(editDistance(a, b, 1) <= 2);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('a near word is suggested, a far one is not', () => {
  assert.equal(nearest('latencyBudgt', ['maxBatch', 'latencyBudget']), 'latencyBudget');
  assert.equal(nearest('LatencyBudget', ['latencyBudget']), 'latencyBudget');
  assert.equal(nearest('foo', ['bar', 'drain']), undefined);
  assert.equal(didYouMean('drian', ['drain']), '; did you mean "drain"?');
  assert.equal(didYouMean('xyz', []), '');
});

test('a document gives the places of its values and keys, and for absent ones the nearest parent', () => {
  const yaml = parseYaml('x.yaml', 'a:\n  - b: 1\n    "c d": { e: 2 }\n');
  assert.deepEqual(yaml.locate(['a', 0, 'c d', 'e']), { line: 3, column: 17 });
  assert.deepEqual(yaml.locate(['a', 0, 'c d', 'none', 'x']), { line: 3, column: 12 });
  assert.deepEqual(yaml.locate(['a', 7]), { line: 2, column: 3 });
  const { line, column, path, excerpt } = yaml.atKey(['a', 0, 'c d'], 'm', 'r');
  assert.deepEqual([line, column, path, excerpt], [3, 5, 'a[0].c d', '    "c d": { e: 2 }']);
});

test('duplicate keys, aliases and broken YAML are errors with a place', () => {
  const places = (text: string) => parseYaml('x.yaml', text).errors.map(({ line, column }) => `${line}:${column}`);
  assert.deepEqual(places('a: 1\nb: 2\na: 3\n'), ['3:1']);
  assert.deepEqual(places('a: &x 1\nb: *x\n'), ['2:4']);
  assert.deepEqual(places('a: 1\n'), []);
  assert.ok(places('a: [1,\nb: 2').length > 0);
});
