import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LAW_MUTANTS, type Mutant } from './laws.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A copy of the shipped code with one mutant applied; the law tests run against it. */
function mutated(mutant: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'));
  for (const part of ['src', 'test/laws', 'test/fixtures', 'package.json']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, mutant.file);
  const source = readFileSync(file, 'utf8');
  assert.equal(
    source.split(mutant.find).length,
    2,
    `${mutant.law}: "${mutant.find}" must occur exactly once in ${mutant.file}`,
  );
  writeFileSync(
    file,
    source.replace(mutant.find, () => mutant.replace),
  );
  return folder;
}

/** Runs one law's test file; true when it passes. */
function passes(folder: string, file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env };
    // A test runner inside a test runner would report to the outer one.
    delete env.NODE_TEST_CONTEXT;
    const child = spawn(process.execPath, ['--test', `test/laws/${file}`], { cwd: folder, env, stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}

for (const mutant of LAW_MUTANTS) {
  test(`${mutant.law} catches its mutant, and no other law does: ${mutant.what}`, async () => {
    const folder = mutated(mutant);
    try {
      const caught: string[] = [];
      for (const file of readdirSync(join(folder, 'test/laws'))) {
        if (!(await passes(folder, file))) caught.push(file.slice(0, 2));
      }
      assert.deepEqual(caught, [mutant.law]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
