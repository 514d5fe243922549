import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export interface BundlePlace {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
}

const VERSION = /^\d+$/;

/**
 * `MODELS/NAME` is resolved to its newest version, the folder with the highest number; `MODELS/NAME/VERSION` to that version.
 * A folder that contains a bundle.yaml is a version, whatever its name. If there is none, returns the reason.
 */
export function locateBundle(path: string): BundlePlace | { readonly problem: string } {
  if (!isDirectory(path)) {
    const there = VERSION.test(basename(path)) && isDirectory(dirname(path)) ? versionsIn(dirname(path)) : [];
    const versions = there.length === 0 ? '' : `; existing versions: ${there.reverse().join(', ')}`;
    return { problem: `there is no folder ${path}${versions}` };
  }
  if (readdirSync(path).includes('bundle.yaml')) return placeOf(path);
  const versions = versionsIn(path);
  if (versions.length === 0) return { problem: `${path} has no bundle.yaml and no versions (folders named 1, 2, …)` };
  return placeOf(join(path, versions[0]));
}

/** Newest first. */
function versionsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((entry) => VERSION.test(entry) && isDirectory(join(folder, entry)))
    .sort((a, b) => Number(BigInt(b) > BigInt(a)) - Number(BigInt(b) < BigInt(a)));
}

function placeOf(folder: string): BundlePlace {
  const absolute = resolve(folder);
  return { folder, version: basename(absolute), name: basename(dirname(absolute)) };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
