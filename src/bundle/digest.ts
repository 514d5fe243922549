import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sha256OfFile } from '../kernel/bytes/file-sha256.ts';

/** A file of a bundle: path relative to the folder, with `/`, and the hex sha256 of its bytes. */
export interface BundleFile {
  readonly path: string;
  readonly sha256: string;
}

/** An entry of a bundle folder that is not a plain file of its own. */
export interface RefusedEntry {
  readonly path: string;
  readonly reason: string;
}

/**
 * Every file below a folder, sorted by the bytes of its path.
 *
 * A link inside the folder → the digest covers bytes that can change from outside, and ONNX Runtime follows it to
 * files outside the model → symbolic links and files with more than one hard link are refused.
 */
export function listBundle(folder: string): { files: BundleFile[]; refused: RefusedEntry[] } {
  const paths: string[] = [];
  const refused: RefusedEntry[] = [];

  function walk(directory: string, prefix: string): void {
    for (const name of readdirSync(directory)) {
      const path = prefix + name;
      const stat = lstatSync(join(directory, name));
      if (stat.isDirectory()) walk(join(directory, name), `${path}/`);
      else if (stat.isSymbolicLink()) refused.push({ path, reason: 'is a symbolic link' });
      else if (!stat.isFile()) refused.push({ path, reason: 'is not a regular file' });
      else if (stat.nlink > 1) refused.push({ path, reason: 'has more than one hard link' });
      else if (/[\r\n]/.test(path)) refused.push({ path, reason: 'has a line break in its name' });
      else paths.push(path);
    }
  }

  walk(folder, '');
  paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return { files: paths.map((path) => ({ path, sha256: sha256OfFile(join(folder, path)) })), refused };
}

/**
 * The digest of a bundle: hex sha256 over one `PATH⏎SHA256⏎` for each file, in the order of `listBundle`,
 * where PATH is relative with `/`, SHA256 lower-case hex, ⏎ one line feed. Every regular file below the folder counts.
 */
export function digestOf(files: readonly BundleFile[]): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of files) hash.update(`${path}\n${sha256}\n`);
  return hash.digest('hex');
}
