import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type PlacedValue, placesOfExport } from '../../../src/documents/object-places.ts';

function at(text: string, ...path: readonly string[]): string | undefined {
  let found: PlacedValue | undefined = placesOfExport(text, 'topology');
  for (const step of path) found = found?.parts.get(step);
  return found && text.slice(found.offset).split('\n')[0];
}

const TEXT = `import { x } from 'y'; // export const topology = { no: 1 }
const base = { a: 0 };
/* a { comment */
export const topology = defineTopology({
  plain: 'a, "b" }', // } , {
  "quoted": \`\${x}, }\`,
  deep: { list: [1, { two: f(1, { three: 3 }), 'four': 4 }, ...more, 5], after: /* here */ true },
  ...base,
  short,
  method() { return { no: 1 }; },
  [computed]: 1,
  last: cond ? { yes: 1 } : [],
} satisfies T);
export const other = { last: 1 };
`;

test('keys of a literal are found despite comments, strings, calls and spreads', () => {
  assert.equal(at(TEXT)?.[0], '{');
  assert.equal(at(TEXT, 'plain')?.slice(0, 5), '\'a, "');
  assert.equal(at(TEXT, 'quoted')?.[0], '`');
  assert.equal(at(TEXT, 'deep', 'list', '1', 'four')?.slice(0, 3), '4 }');
  assert.equal(at(TEXT, 'deep', 'after')?.slice(0, 4), 'true');
  assert.equal(at(TEXT, 'deep', 'list', '3'), undefined, 'an index behind a spread is not known');
  assert.equal(at(TEXT, 'short'), 'short,');
  assert.equal(at(TEXT, 'last')?.slice(0, 4), 'cond');
  assert.equal(at(TEXT, 'last', 'yes'), undefined);
  assert.equal(at(TEXT, 'computed'), undefined);
});

test('an export with a type, without a call, or of something else has a place', () => {
  assert.equal(at('export const topology: T<{ a: 1 }> = { b: 2 };', 'b'), '2 };');
  assert.equal(at('let a;\nexport { a as topology };'), 'export { a as topology };');
  assert.equal(at('export const topology = base;'), 'export const topology = base;');
  assert.equal(at('nothing'), 'nothing');
});

test('any text can be read, and all places are inside the text', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ',',
    ':',
    '"',
    "'",
    '`',
    '...',
    'a',
    ' ',
    '\n',
    '//',
    '/*',
    '*/',
    '\\',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = `export const topology = {${pieces.join('')}`;
      const visit = ({ offset, keyOffset, parts }: PlacedValue): void => {
        assert.ok(offset >= 0 && offset <= text.length && keyOffset <= text.length);
        for (const part of parts.values()) visit(part);
      };
      visit(placesOfExport(text, 'topology'));
    }),
    { seed: 1, numRuns: 2_000 },
  );
});
