import { finished } from 'node:stream/promises';
import { createZstdDecompress, type ZstdDecompress } from 'node:zlib';

/** Packed bytes that are unpacked at a time, and so a bound on what lies unpacked. */
const SLICE_BYTES = 16 * 1024;

/**
 * Decompresses zstd, frame after frame.
 *
 * Node's stream ends with a frame, and silently ignores what follows in the same chunk (cause) → of a file with many frames, as parallel
 * compressors and we ourselves write it, the rest would be lost (effect) → the unread bytes are given to a new stream (guard).
 */
export async function* unzstd(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let frames = openFrames();
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        const slice = chunk.subarray(at, at + SLICE_BYTES);
        const taken = await frames.take(slice);
        at += taken;
        yield* frames.unpacked();
        if (taken < slice.length) {
          frames.drop();
          frames = openFrames();
        }
      }
    }
    await frames.end();
    yield* frames.unpacked();
  } finally {
    frames.drop();
  }
}

interface Frames {
  /** How many of the bytes it took: all of them, or those up to the end of a frame. */
  take(slice: Buffer): Promise<number>;
  unpacked(): Buffer[];
  end(): Promise<void>;
  drop(): void;
}

function openFrames(): Frames {
  const stream: ZstdDecompress = createZstdDecompress();
  let out: Buffer[] = [];
  let fed = false;
  stream.on('data', (bytes: Buffer) => out.push(bytes));
  const ended = finished(stream);
  // Whoever waits for it is told; nobody does where it is dropped.
  ended.catch(() => undefined);
  return {
    take(slice) {
      const before = stream.bytesWritten;
      fed = true;
      // A write that fails is never called back; the end of the stream tells why.
      const written = new Promise<void>((resolve, reject) => {
        stream.once('error', reject);
        stream.write(slice, () => {
          stream.off('error', reject);
          resolve();
        });
      });
      return written.then(() => stream.bytesWritten - before);
    },
    unpacked() {
      const taken = out;
      out = [];
      return taken;
    },
    async end() {
      if (!fed) return;
      stream.end();
      await ended;
    },
    drop: () => void stream.destroy(),
  };
}
