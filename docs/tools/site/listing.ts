/**
 * What a folder of the repository holds, for its page. Promise: the same in every working copy of one state of git: notes and
 * build outputs that lie there are nobody else's and not shown. Limits: where git has nothing (none is installed, or these
 * files were unpacked without their history) it is what is on disk; names that begin with a dot are never shown.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export function createListing(root: string): (folder: string) => readonly string[] {
  const known = new Map<string, Set<string>>();
  for (const file of tracked(root)) {
    const parts = file.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      const names = known.get(folder) ?? new Set();
      known.set(folder, names.add(parts[depth]));
    }
  }
  return (folder) => {
    const names = known.size === 0 ? readdirSync(join(root, folder)) : [...(known.get(folder) ?? [])];
    return names.filter((name) => !/^\.|^node_modules$/.test(name) && existsSync(join(root, folder, name))).sort();
  };
}

/** Files that git has below the root, from there; none where there is no git, or no repository. */
function tracked(root: string): readonly string[] {
  const { status, stdout } = spawnSync('git', ['-C', root, 'ls-files', '-z'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return status === 0 ? stdout.split('\0').filter((file) => file !== '') : [];
}
