import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { SluiceError } from '../../../kernel/errors.ts';

/** Where bytes go; one call at a time. After one that failed all others fail as it did. */
export interface Outlet {
  write(bytes: Buffer): Promise<void>;
  /** Everything written so far is on the disk; resolves with the length of the file, 0 where it is no file. */
  flush(): Promise<number>;
  /** As flush, then closed. */
  end(): Promise<void>;
}

/** Bytes that are packed at a time: a member of gzip, a frame of zstd. Readers take many, one behind the other, as one. */
const MEMBER_BYTES = 1024 * 1024;

type Packer = (bytes: Buffer) => Promise<Buffer>;

/** A file, packed by its ending. What it held is cut to `keepBytes`, which go on to be its beginning. */
export async function fileOutlet(file: string, keepBytes = 0): Promise<Outlet> {
  let disk: FileHandle;
  let length = keepBytes;
  let isFile: boolean;
  try {
    disk = await open(file, keepBytes > 0 ? 'r+' : 'w');
    if (keepBytes > 0) await disk.truncate(keepBytes);
    isFile = (await disk.stat()).isFile();
  } catch (thrown) {
    const remedy = 'make its folder, or name a file that this user may write';
    throw new SluiceError('file-invalid', `cannot write ${file}: ${(thrown as Error).message}; ${remedy}`, thrown);
  }
  const pack = packerOf(file);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let broken: SluiceError | undefined;

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    if (broken !== undefined) throw broken;
    try {
      return await work();
    } catch (thrown) {
      broken ??= failure(file, thrown);
      throw broken;
    }
  }

  async function append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      // A pipe has no positions.
      const { bytesWritten } = await disk.write(bytes, at, bytes.length - at, keepBytes > 0 ? length : null);
      at += bytesWritten;
      length += bytesWritten;
    }
  }

  async function packWaiting(packer: Packer): Promise<void> {
    if (waitingBytes === 0) return;
    const bytes = Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
    await append(await packer(bytes));
  }

  return {
    write: (bytes) =>
      guarded(async () => {
        if (pack === undefined) return append(bytes);
        waiting.push(bytes);
        waitingBytes += bytes.length;
        if (waitingBytes >= MEMBER_BYTES) await packWaiting(pack);
      }),
    flush: () =>
      guarded(async () => {
        if (pack !== undefined) await packWaiting(pack);
        if (!isFile) return 0;
        await disk.sync();
        return length;
      }),
    async end() {
      try {
        await guarded(async () => {
          if (pack !== undefined) {
            await packWaiting(pack);
            // Nothing at all is no packed file.
            if (length === 0) await append(await pack(Buffer.alloc(0)));
          }
          // A bookmark that says "whole", or is gone, must not be on the disk before what it speaks of.
          if (isFile) await disk.sync();
        });
      } finally {
        await disk.close();
      }
    },
  };
}

/** Standard output; `onReaderGone` is told when whoever read it has gone (`| head`), before the write fails for it. */
export function streamOutlet(stdout: NodeJS.WritableStream, onReaderGone: () => void): Outlet {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stdout.write(bytes, (error?: NodeJS.ErrnoException | null) => {
          if (!error) return resolve();
          if (error.code === 'EPIPE') onReaderGone();
          reject(failure('standard output', error));
        });
      }),
    flush: () => Promise.resolve(0),
    end: () => Promise.resolve(),
  };
}

function packerOf(file: string): Packer | undefined {
  if (file.endsWith('.gz')) return promisify(gzip) as Packer;
  return file.endsWith('.zst') ? (promisify(zstdCompress) as Packer) : undefined;
}

function failure(target: string, cause: unknown): SluiceError {
  return new SluiceError('file-failed', `cannot write ${target}: ${(cause as Error).message}`, cause);
}
