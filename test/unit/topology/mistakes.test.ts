import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { formatFindings } from '../../../src/documents/finding.ts';
import { loadTopology } from '../../../src/topology/load.ts';
import { readMistakes, replaceOnce } from '../mistake-table.ts';
import { folderWith, SAMPLE } from './sample.ts';

const mistakes = readMistakes(new URL('../../fixtures/topology/mistakes.txt', import.meta.url));

for (const mistake of mistakes) {
  test(`mistake: ${mistake.name}`, () => {
    const { folder, remove } = folderWith({ 'topology.yaml': replaceOnce(SAMPLE, mistake) });
    try {
      const file = join(folder, 'topology.yaml');
      const loaded = loadTopology(file, {});
      assert.equal(loaded.ok, false);
      const all = formatFindings(loaded.findings);
      const found = loaded.findings.find((finding) => finding.path === mistake.path);
      assert.ok(found, all);
      const { severity, line, column } = found;
      assert.deepEqual(
        { severity, line, column },
        { severity: 'error', line: mistake.line, column: mistake.column },
        all,
      );
      assert.equal(found.file, file);
      assert.ok(found.message.includes(mistake.message), all);
      assert.ok(found.remedy.includes(mistake.remedy), all);
      assert.ok(found.excerpt.length >= found.column - 1, all);
    } finally {
      remove();
    }
  });
}
