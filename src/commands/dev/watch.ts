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
 * a watch on the old one would hear no more. Limits: a folder is watched to one level below it; file systems that
 * give no notice (some network and container mounts) are not noticed.
 */
export const watchFiles: WatchFiles = (paths, changed, lost) => {
  /** Folder → names that count in it; undefined: all of them. */
  const folders = new Map<string, Set<string> | undefined>();
  const all = (folder: string): void => void folders.set(folder, undefined);
  for (const path of paths) {
    if (isFolder(path)) {
      all(path);
      for (const entry of readdirSync(path)) if (isFolder(join(path, entry))) all(join(path, entry));
      continue;
    }
    const folder = dirname(path);
    if (!folders.has(folder)) folders.set(folder, new Set());
    folders.get(folder)?.add(basename(path));
  }
  const watchers: FSWatcher[] = [];
  for (const [folder, names] of folders) {
    if (!existsSync(folder)) continue;
    const watcher = watch(folder, (_kind, name) => {
      if (name === null) changed(folder);
      else if (names === undefined || names.has(name)) changed(join(folder, name));
    });
    watcher.on('error', (error) => lost(`${folder}: ${error.message}`));
    watchers.push(watcher);
  }
  return {
    close() {
      for (const watcher of watchers) watcher.close();
    },
  };
};

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
  let timer: Timer | undefined;
  const changed = new Set<string>();
  let isDue = false;
  let waiting: ((paths: readonly string[]) => void) | undefined;

  function release(): void {
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
      // The new ones first, so that nothing falls between.
      const before = watcher;
      watcher = deps.watch(paths, onChange, deps.lost);
      before?.close();
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
