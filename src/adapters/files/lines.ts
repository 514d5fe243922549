import { SluiceError } from '../../kernel/errors.ts';
import { readUnpacked, type UnpackedOptions } from './unpacked.ts';

const NEWLINE = 10;
const RETURN = 13;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const MAX_LINE_BYTES = 64 * 1024 * 1024;

export interface LinesOptions extends UnpackedOptions {
  /** A longer line is not kept. */
  readonly maxLineBytes: number;
}

/**
 * Lines of a file as bytes, without line ends (LF or CRLF) and without a byte order mark; each is a copy, so that the read buffer is
 * free. `.gz` and `.zst` are decompressed. For a line longer than `maxLineBytes`, its length comes instead: memory holds at most one
 * line of that size, whatever the file contains.
 */
export async function* readLines(file: string, options: LinesOptions): AsyncGenerator<Buffer | number> {
  const line = createLine(options.maxLineBytes);
  for await (const chunk of readUnpacked(file, options)) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      line.add(chunk.subarray(from, end));
      yield line.take();
      from = end + 1;
    }
    // What goes on in the next chunk is copied, or it would keep all of this one.
    if (from < chunk.length) line.add(Buffer.from(chunk.subarray(from)));
  }
  if (line.bytes() > 0) yield line.take();
}

/** The same where a line that is too long is a mistake of its author. */
export async function* linesOf(
  file: string,
  onProgress: (readBytes: number) => void,
  stdin?: NodeJS.ReadableStream,
): AsyncGenerator<Buffer> {
  for await (const line of readLines(file, { onProgress, stdin, maxLineBytes: MAX_LINE_BYTES })) {
    if (typeof line !== 'number') yield line;
    else throw new SluiceError('file-invalid', `${file} has a line of ${line} bytes; ${MAX_LINE_BYTES} are the limit`);
  }
}

/** A line that is put together from pieces; only its length is kept once it is too long. */
function createLine(maxBytes: number): { add(piece: Buffer): void; take(): Buffer | number; bytes(): number } {
  let pieces: Buffer[] = [];
  let length = 0;
  let last = -1;
  let first = true;
  return {
    bytes: () => length,
    add(piece) {
      if (piece.length === 0) return;
      length += piece.length;
      last = piece[piece.length - 1];
      // One more than allowed: the RETURN at its end does not count.
      if (length > maxBytes + 1 + BYTE_ORDER_MARK.length) pieces = [];
      else pieces.push(piece);
    },
    take() {
      const kept = length > maxBytes + 1 + BYTE_ORDER_MARK.length ? undefined : Buffer.concat(pieces);
      const end = last === RETURN ? length - 1 : length;
      const start = first && kept?.subarray(0, 3).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
      first = false;
      pieces = [];
      length = 0;
      last = -1;
      return kept === undefined || end - start > maxBytes ? end - start : kept.subarray(start, end);
    },
  };
}
