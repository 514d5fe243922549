import { createReadStream, ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { unzstd } from './unzstd.ts';

const READ_BYTES = 256 * 1024;

export interface UnpackedOptions {
  /** Read instead of the file. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  /** Called with the bytes of the file read so far; packed bytes where it is packed. */
  readonly onProgress: (readBytes: number) => void;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** The bytes of a file, `.gz` and `.zst` unpacked, a chunk at a time; standard input likewise, by the name it is given. */
export async function* readUnpacked(file: string, options: UnpackedOptions): AsyncGenerator<Buffer> {
  const { onProgress, signal, stdin } = options;
  const raw: Readable =
    stdin === undefined ? createReadStream(file, { highWaterMark: READ_BYTES }) : (stdin as Readable);
  const chunks: Readable = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  let readBytes = 0;
  // `pipe` does not pass errors on (cause): a file that cannot be read would hang its reader (effect); so they are (guard).
  if (chunks !== raw) raw.on('error', (error) => chunks.destroy(error));
  const giveUp = (): void => void chunks.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    for await (const chunk of file.endsWith('.zst') ? unzstd(chunks) : (chunks as AsyncIterable<Buffer>)) {
      readBytes += chunk.length;
      onProgress(raw instanceof ReadStream ? raw.bytesRead : readBytes);
      yield chunk;
    }
  } finally {
    signal?.removeEventListener('abort', giveUp);
    raw.destroy();
    chunks.destroy();
  }
}
