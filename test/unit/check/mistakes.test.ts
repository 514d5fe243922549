import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { prepare } from '../../../src/check/prepare.ts';
import { formatFindings } from '../../../src/documents/finding.ts';
import { readMistakes, replaceOnce } from '../mistake-table.ts';
import { FILES, type FileName, SIGNATURE, writeSample } from './sample.ts';

const NAMES: Readonly<Record<string, FileName>> = {
  topology: 'topology.yaml',
  bundle: 'models/sample/1/bundle.yaml',
  event: 'event.avsc',
  output: 'output.avsc',
};

const mistakes = readMistakes(new URL('../../fixtures/topology/contract-mistakes.txt', import.meta.url));

for (const mistake of mistakes) {
  test(`mistake in ${mistake.name}`, async () => {
    const changed = NAMES[mistake.name.split(':')[0]];
    const { folder, remove } = writeSample({ [changed]: replaceOnce(FILES[changed], mistake) });
    try {
      const runtime = { inspect: async () => SIGNATURE };
      const { plan, findings } = await prepare(join(folder, 'topology.yaml'), { env: {}, runtime });
      const all = formatFindings(findings);
      assert.equal(plan, undefined, all);
      const found = findings.find((finding) => finding.path === mistake.path);
      assert.ok(found, all);
      const { file, line, column, severity } = found;
      const wanted = join(folder, NAMES[mistake.file ?? ''] ?? changed);
      assert.deepEqual(
        { severity, file, line, column },
        { severity: 'error', file: wanted, line: mistake.line, column: mistake.column },
        all,
      );
      assert.ok(found.message.includes(mistake.message), all);
      assert.ok(found.remedy.includes(mistake.remedy), all);
      assert.notEqual(found.excerpt.trim(), '', all);
    } finally {
      remove();
    }
  });
}
