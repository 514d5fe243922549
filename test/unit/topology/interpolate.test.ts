// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such references are what is tested
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseYaml } from '../../../src/documents/yaml-document.ts';
import { type Environment, interpolate } from '../../../src/topology/interpolate.ts';

function replaced(text: string, env: Environment = {}) {
  const yaml = parseYaml('x.yaml', text);
  const { findings } = interpolate(yaml, env);
  return { value: yaml.toValue(), findings };
}

test('a reference becomes its variable, and its default where that is unset or empty', () => {
  const text = 'a: "${A}-${B:-b}"\nc: ["${C:-}", "${D:-x:-y}"]';
  assert.deepEqual(replaced(text, { A: '1', D: '' }).value, { a: '1-b', c: ['', 'x:-y'] });
  assert.deepEqual(replaced(text, { A: '1', B: '2', C: '3', D: '4' }).value, { a: '1-2', c: ['3', '4'] });
});

test('a variable that is set and empty stands where there is no default', () => {
  assert.deepEqual(replaced('a: "${A}"', { A: '' }), { value: { a: '' }, findings: [] });
});

test('what a variable holds is text: it adds no keys and is not read again', () => {
  assert.deepEqual(replaced('a: "${A}"', { A: 'x\nb: 1, ${B} # "' }).value, { a: 'x\nb: 1, ${B} # "' });
});

test('an unquoted value that is one reference may be a number or a boolean; a quoted one stays text', () => {
  const env = { N: '256', T: 'true', S: '0x10' };
  assert.deepEqual(replaced('a: ${N}\nb: "${N}"\nc: ${T}\nd: ${S}\ne: ${N}0', env).value, {
    a: 256,
    b: '256',
    c: true,
    d: '0x10',
    e: '2560',
  });
});

test('two dollars and a brace are a dollar and a brace', () => {
  assert.deepEqual(replaced('a: "$${A} $A $"').value, { a: '${A} $A $' });
});

test('references are replaced in values only, not in keys', () => {
  assert.deepEqual(replaced('"${A}": 1').value, { '${A}': 1 });
});

test('what cannot be replaced is a finding with its path, all of them at once', () => {
  const { findings } = replaced('a:\n  - x: "${NONE}"\n  - "${not a name}"\nb: [1, "${OPEN"]', { a: '1' });
  assert.deepEqual(
    findings.map(({ path, line, column, message }) => ({ path, line, column, message })),
    [
      { path: 'a[0].x', line: 2, column: 8, message: '${NONE} is not set in the environment, and has no default' },
      {
        path: 'a[1]',
        line: 3,
        column: 5,
        message: '${not a name} is not a reference to an environment variable, NAME, or to a file, file:PATH',
      },
      { path: 'b[1]', line: 4, column: 8, message: '${OPEN has no closing brace' },
    ],
  );
});

test('names that every object has are no variables', () => {
  assert.equal(replaced('a: "${toString}"', {}).findings.length, 1);
});
