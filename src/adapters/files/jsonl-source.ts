import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { FrameBuilder, type Origin } from '../../kernel/frame.ts';
import type { Source, SourceListener } from '../../ports/source.ts';

export interface JsonlSourceOptions {
  /** JSON Lines; `.gz` is unpacked on the way. */
  readonly file: string;
  readonly frameRecords: number;
  /** Stop after this many records. */
  readonly limit: number;
  /** Called now and then with the bytes of the file read so far. */
  readonly onProgress: (readBytes: number) => void;
}

const NEWLINE = 10;
const RETURN = 13;

/**
 * A bounded file as a source: one partition, a record a line, the offset is the line number from 0.
 *
 * Timestamps are the time of reading. Empty lines are skipped, keeping the numbers of the others. A line larger than the
 * credit is handed over by reference, as a record from Kafka would be. Memory: one frame and what the reader buffers.
 */
export function createJsonlSource(
  deps: { readonly clock: Clock; readonly credit: Credit },
  options: JsonlSourceOptions,
): Source {
  const { clock, credit } = deps;
  const origin: Origin = { topic: options.file, partition: 0, epoch: 0 };
  const stopping = new AbortController();
  let reading: Promise<void> = Promise.resolve();
  let readTo = 0;

  async function read(listener: SourceListener): Promise<void> {
    let lines: Buffer[] = [];
    let numbers: number[] = [];
    let bytes = 0;
    let number = 0;
    let taken = 0;

    const handOver = async (): Promise<void> => {
      if (lines.length === 0) return;
      if (!(await credit.take(lines.length, bytes, stopping.signal))) return;
      const builder = new FrameBuilder(origin, lines.length, bytes);
      const nowMs = clock.wallMs();
      lines.forEach((line, i) => {
        if (line.length > credit.maxBytes) builder.appendTooLarge(numbers[i], nowMs, line.length);
        else builder.append(numbers[i], nowMs, null, line, null);
      });
      readTo = numbers[numbers.length - 1] + 1;
      listener.onFrame(builder.build(readTo, nowMs, clock.monotonicMs()));
      lines = [];
      numbers = [];
      bytes = 0;
    };

    for await (const line of linesOf(options.file, options.onProgress)) {
      const at = number++;
      if (line.length === 0) continue;
      const size = line.length > credit.maxBytes ? 0 : line.length;
      if (lines.length === options.frameRecords || bytes + size > Math.min(credit.maxBytes, FRAME_BYTES))
        await handOver();
      lines.push(line);
      numbers.push(at);
      bytes += size;
      if (++taken >= options.limit || stopping.signal.aborted) break;
    }
    if (stopping.signal.aborted) return;
    await handOver();
    listener.onEnd();
  }

  return {
    async start(listener) {
      listener.onAssigned(origin);
      reading = read(listener).catch((thrown) => listener.onFailed(fileError(options.file, thrown)));
    },
    commit: () => Promise.resolve(),
    async halt() {
      stopping.abort();
      await reading;
    },
    close: () => Promise.resolve(),
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
}

/** A frame is closed at this many bytes, so that a few long lines do not hold the whole credit. */
const FRAME_BYTES = 1024 * 1024;

/** Lines as bytes, without their ends; a copy each, so that the read buffer is free. */
export async function* linesOf(file: string, onProgress: (readBytes: number) => void): AsyncGenerator<Buffer> {
  const raw = createReadStream(file, { highWaterMark: 256 * 1024 });
  const chunks: AsyncIterable<Buffer> = file.endsWith('.gz') ? raw.pipe(forwardError(raw, createGunzip())) : raw;
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    onProgress(raw.bytesRead);
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      rest.push(chunk.subarray(from, end));
      yield withoutReturn(Buffer.concat(rest));
      rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(Buffer.from(chunk.subarray(from)));
  }
  if (rest.length > 0) yield withoutReturn(Buffer.concat(rest));
}

/** `pipe` does not pass errors on (cause): a file that cannot be read would hang its reader (effect); so the target is destroyed with it (guard). */
function forwardError<T extends NodeJS.WritableStream & { destroy(error: Error): void }>(
  from: NodeJS.ReadableStream,
  to: T,
): T {
  from.on('error', (error: Error) => to.destroy(error));
  return to;
}

function withoutReturn(line: Buffer): Buffer {
  return line.length > 0 && line[line.length - 1] === RETURN ? line.subarray(0, -1) : line;
}

function fileError(file: string, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new SluiceError('file-missing', `there is no file ${file}`, thrown);
  return new SluiceError('file-invalid', `cannot read ${file}: ${message}`, thrown);
}
