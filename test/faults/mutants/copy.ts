/** A copy of the shipped code with a deliberate mistake in it, and of what plays the scenes. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `find` occurs exactly once in `file`. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mistake {
  readonly what: string;
  readonly edits: readonly Edit[];
}

export const ROOT = join(import.meta.dirname, '../../..');

/** `work` in the folder of a mutated copy, which is gone afterwards. */
export async function inMutated<T>({ what, edits }: Mistake, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'));
  try {
    for (const part of ['src', 'test/faults', 'test/fixtures', 'package.json']) {
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    }
    for (const part of ['node_modules', 'schemas']) symlinkSync(join(ROOT, part), join(folder, part));
    for (const { file, find, replace } of edits) {
      const path = join(folder, file);
      const source = readFileSync(path, 'utf8');
      assert.equal(source.split(find).length, 2, `${what}: "${find}" must occur exactly once in ${file}`);
      writeFileSync(
        path,
        source.replace(find, () => replace),
      );
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
