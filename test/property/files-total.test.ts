import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { prepare } from '../../src/check/prepare.ts';
import { formatFindings } from '../../src/documents/finding.ts';
import { FILES, type FileName, SIGNATURE, writeSample } from '../unit/check/sample.ts';

/** Pieces that mean something to YAML, JSON, expressions or templates. */
const PIECES = [
  '',
  ' ',
  '\n',
  '\t',
  ':',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '*a',
  '&a ',
  '!!x ',
  '${',
  '}',
  '|',
  '#',
  '0',
  '-1',
  '1e999',
  'null',
  '~',
  '??',
  '__proto__',
  '\u0000',
  '\ud800',
  '<<: ',
];

const names = Object.keys(FILES).filter((name) => !name.endsWith('.onnx')) as FileName[];

test('whatever the files contain, check answers with a plan or with findings that point into a file', async () => {
  const { folder, remove } = writeSample();
  const runtime = { inspect: async () => SIGNATURE };
  const edit = fc.record({
    name: fc.constantFrom(...names),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.oneof(fc.nat(3), fc.nat(60)),
    piece: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 12 })),
  });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const texts: Record<string, string> = { ...FILES };
        for (const { name, at, cut, piece } of edits) {
          const from = Math.floor(at * texts[name].length);
          texts[name] = texts[name].slice(0, from) + piece + texts[name].slice(from + cut);
        }
        for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
        const { plan, findings } = await prepare(join(folder, 'topology.yaml'), { env: {}, runtime });
        assert.equal(
          plan === undefined,
          findings.some((finding) => finding.severity === 'error'),
        );
        for (const { file, line, column, message, remedy } of findings) {
          assert.ok(file.startsWith(folder) || file.startsWith('models'), file);
          assert.ok(Number.isInteger(line) && line >= 1 && Number.isInteger(column) && column >= 1);
          assert.ok(message !== '' && remedy !== '', message);
        }
        assert.equal(typeof formatFindings(findings), 'string');
      }),
      { seed: 20, numRuns: 400 },
    );
  } finally {
    remove();
  }
});
