/**
 * What lies in the repository is what somebody put there: a profiler, a dump or a build leaves thousands of files in the
 * folder where it is started, and one `git add -A` takes them along.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Kinds of files that are made by a run, wherever they lie. */
const MADE =
  /(^|\/)(jitted-|perf\.data|isolate-0x|core(\.\d+)?$|.*\.(so|dump|heapsnapshot|cpuprofile|pyc|log|orig|rej)$)/;

test('nothing that a run has made is tracked, and no folder holds hundreds of files', (t) => {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (listed.status !== 0) return t.skip('no git, or no git repository: what is tracked is not known');
  const files = listed.stdout.split('\0').filter((path) => path !== '');
  assert.ok(files.length > 500);
  assert.deepEqual(
    files.filter((path) => MADE.test(path)),
    [],
  );
  const folders = new Map<string, number>();
  for (const path of files) {
    const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  for (const [folder, count] of folders) assert.ok(count < 100, `${folder || 'the root'} has ${count} files`);
});
