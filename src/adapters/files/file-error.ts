import { SluiceError } from '../../kernel/errors.ts';

const DAMAGED = 'ERR_ZLIB';

/** Translates an error of reading a file. */
export function fileError(file: string, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new SluiceError('file-missing', `there is no file ${file}`, thrown);
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_') || code?.startsWith(DAMAGED)) {
    const kind = file.endsWith('.zst') ? 'zstd' : 'gzip';
    const what = code === 'Z_BUF_ERROR' ? 'it ends too soon' : `it is not ${kind}, or damaged (${message})`;
    return new SluiceError('file-failed', `cannot unpack ${file}: ${what}`, thrown);
  }
  return new SluiceError('file-failed', `cannot read ${file}: ${message}`, thrown);
}
