import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { placeInJson, readText } from '../../../src/documents/text-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-text-'));
after(() => rmSync(folder, { recursive: true }));

function written(bytes: Buffer): string {
  const file = join(folder, 'text');
  writeFileSync(file, bytes);
  return file;
}

test('text is returned unchanged, without a byte order mark', () => {
  assert.equal(readText(written(Buffer.from('\ufeffgröße: 😀\r\n'))), 'größe: 😀\r\n');
  assert.equal(readText(written(Buffer.alloc(0))), '');
});

test('text in another encoding is refused, with the line that shows it', () => {
  const wrong = (bytes: Buffer, line: number, message: RegExp) =>
    assert.throws(() => readText(written(bytes)), { code: 'NOT_UTF8', line, message });
  wrong(Buffer.from('a: b\nä: ö\nc: d', 'latin1'), 2, /^is not UTF-8: line 2 holds bytes of another encoding$/);
  wrong(Buffer.concat([Buffer.from('a: "ä\u2028"\n\n'), Buffer.from([0x80])]), 3, /line 3/);
  wrong(Buffer.from('\ufeffa: b', 'utf16le'), 1, /^is UTF-16/);
});

/** For some faults V8 gives the place where JSON is broken, for others it shows the text around it. */
const PLACES: readonly (readonly [text: string, line: number, column: number])[] = [
  ['// a comment\n{"a": 1}', 1, 1],
  ['{"a": 1,\n "b": nul}', 2, 10],
  ['{"a": 1,\n "b": [1, 2,]}', 2, 13],
  ['{"a": 1}\n}', 2, 1],
  ["{'a': 1}", 1, 2],
];

for (const [text, line, column] of PLACES) {
  test(`says where ${JSON.stringify(text)} is no longer JSON`, () => {
    let message = '';
    try {
      JSON.parse(text);
    } catch (thrown) {
      message = (thrown as Error).message;
    }
    assert.notEqual(message, '');
    assert.deepEqual(placeInJson(text, message), { line, column });
    assert.deepEqual(placeInJson(text, 'no place'), { line, column }, 'found by itself');
  });
}
