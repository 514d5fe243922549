import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';

/** Calls `changed` with a path when something at or below one of `paths` has changed, and `lost` when it can no longer tell. */
export type WatchFiles = (
  paths: readonly string[],
  changed: (path: string) => void,
  lost: (reason: string) => void,
) => { close(): void };

/**
 * File system notifications. Folders are watched rather than files: most editors write a new file and rename it over the old one, and
 * a watch on the old file would go silent. Folders are replaced likewise, by a change of branch or an archive, so the two levels above
 * each are watched for its name. For a missing path, the folder in which it would appear is watched. Limits: a folder is watched
 * to one level below it; some network and container mounts send no notifications.
 */
export const watchFiles: WatchFiles = (paths, changed, lost) => {
  /** Folder → names in it that matter; undefined: all of them. */
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
      // Deleted meanwhile, or beyond the system's limit of watches.
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
  /** Watches these paths instead of the previous ones. */
  follow(paths: readonly string[]): void;
  /** Resolves with everything that has changed, once it has been quiet for a moment. One caller at a time. */
  next(): Promise<readonly string[]>;
  close(): void;
}

/** Saving touches a file several times, and several files are saved together: this much quiet ends a change. */
const QUIET_MS = 200;

/** Collects notifications until it is quiet. */
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

  /** A recreated file or folder is a new one to the system and needs a new watch. New watches are opened first, so that nothing is missed. */
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
