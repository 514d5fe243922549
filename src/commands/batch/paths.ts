import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SluiceError } from '../../kernel/errors.ts';
import type { Ends } from './endpoints.ts';

export interface OtherFiles {
  readonly deadLetters: string | undefined;
  readonly bookmark: string | undefined;
}

/** Size of the input; 0 if unknown or a topic. Throws if it cannot be read, or if a file that is still needed would be overwritten. */
export function checkedSize({ input, output }: Ends, { deadLetters, bookmark }: OtherFiles): number {
  const size = input.kind === 'topic' || input.file === '-' ? 0 : sizeOf(input.file);
  const named: { readonly option: string; readonly path: string }[] = [];
  if (input.kind === 'file') {
    named.push({ option: '--input', path: input.file === '-' ? 'standard input' : realPath(input.file) });
  }
  if (output.kind === 'file') named.push({ option: '--output', path: realPath(output.file) });
  if (output.kind === 'file') checkFolder(output.file);
  if (bookmark !== undefined) checkFolder(bookmark);
  if (deadLetters !== undefined) named.push({ option: '--dead-letters', path: realPath(deadLetters) });
  if (bookmark !== undefined) named.push({ option: '--bookmark', path: realPath(bookmark) });
  named.forEach(({ option, path }, i) => {
    const same = named.slice(0, i).find((other) => other.path === path);
    if (same === undefined || path === DISCARD) return;
    throw new SluiceError(
      'usage-invalid',
      `${same.option} and ${option} are the same file, ${path}; give each its own`,
    );
  });
  return size;
}

/** Checked before anything is done that takes time or leaves something behind. */
function checkFolder(file: string): void {
  try {
    accessSync(dirname(file), constants.F_OK);
  } catch (thrown) {
    const remedy = 'make its folder, or name a file that this user may write';
    throw new SluiceError('file-invalid', `cannot write ${file}: ${(thrown as Error).message}; ${remedy}`, thrown);
  }
}

function sizeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new SluiceError('file-missing', `there is no file ${file}; give --input a file of records`);
  if (found.isDirectory())
    throw new SluiceError('usage-invalid', `${file} is a folder; give --input a file of records`);
  try {
    accessSync(file, constants.R_OK);
  } catch (thrown) {
    throw new SluiceError('usage-invalid', `cannot read ${file}: ${(thrown as Error).message}`, thrown);
  }
  return found.isFile() ? found.size : 0;
}

const DISCARD = '/dev/null';

function realPath(file: string): string {
  if (file === '-') return 'standard output';
  return statSync(file, { throwIfNoEntry: false }) === undefined ? resolve(file) : realpathSync(file);
}
