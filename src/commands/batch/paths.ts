import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SluiceError } from '../../kernel/errors.ts';

export interface BatchPaths {
  readonly input: string;
  readonly output: string;
  readonly deadLetters: string | undefined;
}

/** The size of the input, 0 where nobody knows; throws where it cannot be read, or where a file would be written over that is still needed. */
export function checkedSize({ input, output, deadLetters }: BatchPaths): number {
  const size = input === '-' ? 0 : sizeOf(input);
  const named = [
    { option: '--input', path: input === '-' ? 'standard input' : realPath(input) },
    { option: '--output', path: realPath(output) },
    ...(deadLetters === undefined ? [] : [{ option: '--dead-letters', path: realPath(deadLetters) }]),
  ];
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
