import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { loadGolden } from '../../../src/bundle/golden.ts';

function goldenOf(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-golden-'));
  try {
    writeFileSync(join(folder, 'golden.jsonl'), text);
    return loadGolden(join(folder, 'golden.jsonl'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('records have their line number; features may be null, tolerance has a default', () => {
  const golden = goldenOf(
    [
      '{"event":{"id":1},"features":{"a":null,"b":{"x":1,"v":[1,2]}},"expected":{"p":0.5,"band":"low"},"tolerance":0.01}',
      '',
      '{"event":{},"expected":{"p":1}}\r',
      '',
    ].join('\n'),
  );
  assert.deepEqual(golden, {
    ok: true,
    records: [
      {
        line: 1,
        event: { id: 1 },
        features: { a: null, b: { x: 1, v: [1, 2] } },
        expected: { p: 0.5, band: 'low' },
        tolerance: 0.01,
      },
      { line: 3, event: {}, features: {}, expected: { p: 1 }, tolerance: 1e-5 },
    ],
  });
});

test('every wrong line is reported with its place', () => {
  const golden = goldenOf(
    [
      '{"event":{},"expected":{"p":1}}',
      '{"event":{},',
      '{"event":{},"expected":{"p":true}}',
      '{"event":{},"expected":{}}',
      '{"event":{},"expected":{"p":1},"tolerance":-1}',
      '{"event":{},"expected":{"p":1},"features":{"a":{"x":"1"}}}',
      '{"expected":{"p":1},"typo":1}',
    ].join('\n'),
  );
  assert.ok(!golden.ok);
  assert.deepEqual(
    golden.findings.map(({ line, column, path, message }) => `${line}:${column} ${path} ${message.slice(0, 24)}`),
    [
      '2:13  is not JSON: Expected do',
      '3:29 expected.p true is not a number, a ',
      '4:24 expected names no prediction',
      '5:44 tolerance -1 is not 0 or more',
      '6:53 features.a.x "1" is not a number or a',
      '7:1 event is missing',
      '7:1  unknown key typo',
    ],
  );
});

test('a file that does not exist is a finding', () => {
  const golden = loadGolden('models/none/golden.jsonl');
  assert.ok(!golden.ok);
  assert.match(golden.findings[0].message, /cannot be read/);
});

test('the golden records of the repository load', () => {
  const golden = loadGolden('models/flight-delay/1/golden.jsonl');
  assert.ok(golden.ok);
  assert.equal(golden.records.length, 50);
});
