import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';

/** Calls `changed` with a path when something under one of `paths`, files or folders, has changed; `lost` when it can no longer tell. */
export type WatchFiles = (
  paths: readonly string[],
  changed: (path: string) => void,
  lost: (reason: string) => void,
) => { close(): void };

/**
 * The file system's own notices. Folders are watched, not files: most editors write a new file and rename it over the old one, and
 * a watch on the old one would hear no more. The same goes for folders, which a change of branches or an archive takes away and
 * makes anew: the two above each are watched for its name, and what is not there yet for where it would begin. Limits: a folder is
 * watched to one level below it; file systems that give no notice (some network and container mounts) are not noticed.
 */
export const watchFiles: WatchFiles = (paths, changed, lost) => {
  /** Folder → names that count in it; undefined: all of them. */
  const folders = new Map<string, Set<string> | undefined>();
  const all = (folder: string): void => void folders.set(folder, undefined);
  const one = (path: string): string => {
    const folder = dirname(path);
    if (!folders.has(folder)) folders.set(folder, new Set());
    folders.get(folder)?.add(basename(path));
    return folder;
  };
  for (const path of paths) {
    if (isFolder(path)) {
      all(path);
      for (const entry of readdirSync(path)) if (isFolder(join(path, entry))) all(join(path, entry));
    }
    let above = one(path);
    for (let level = 0; (level < LEVELS_ABOVE || !existsSync(above)) && dirname(above) !== above; level++)
      above = one(above);
  }
  const watchers: FSWatcher[] = [];
  for (const [folder, names] of folders) {
    if (!existsSync(folder)) continue;
    try {
      const watcher = watch(folder, (_kind, name) => {
        if (name === null) changed(folder);
        else if (names === undefined || names.has(name)) changed(join(folder, name));
      });
      watcher.on('error', (error) => lost(`${folder}: ${error.message}`));
      watchers.push(watcher);
    } catch (thrown) {
      // Gone in between, or more than the system lets a user watch.
      lost(`${folder}: ${(thrown as Error).message}`);
    }
  }
  return {
    close() {
      for (const watcher of watchers) watcher.close();
    },
  };
};

const LEVELS_ABOVE = 2;

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export interface Changes {
  /** Follows these paths from here on, in place of those before. */
  follow(paths: readonly string[]): void;
  /** Resolves with all that has changed, once there was quiet for a moment. One caller at a time. */
  next(): Promise<readonly string[]>;
  close(): void;
}

/** An editor that saves a file touches it several times, and several files are saved together: so much quiet ends a change. */
const QUIET_MS = 200;

/** Notices of files, gathered until there is quiet. */
export function createChanges(
  deps: { readonly clock: Clock; readonly watch: WatchFiles; readonly lost: (reason: string) => void },
  { quietMs = QUIET_MS } = {},
): Changes {
  let watcher: { close(): void } | undefined;
  let followed: readonly string[] = [];
  let timer: Timer | undefined;
  const changed = new Set<string>();
  let isDue = false;
  let waiting: ((paths: readonly string[]) => void) | undefined;

  /** What was made anew is another file or folder to the system: it has to be watched anew. The new ones first, so that nothing falls between. */
  function watchAnew(): void {
    const before = watcher;
    watcher = deps.watch(followed, onChange, deps.lost);
    before?.close();
  }

  function release(): void {
    if (!isDue) watchAnew();
    isDue = true;
    if (waiting === undefined) return;
    const paths = [...changed];
    changed.clear();
    isDue = false;
    waiting(paths);
    waiting = undefined;
  }

  function onChange(path: string): void {
    changed.add(path);
    timer?.cancel();
    timer = deps.clock.after(quietMs, release);
  }

  return {
    follow(paths) {
      followed = paths;
      watchAnew();
    },
    next: () =>
      new Promise((resolve) => {
        waiting = resolve;
        if (isDue && changed.size > 0) release();
      }),
    close() {
      timer?.cancel();
      watcher?.close();
    },
  };
}
