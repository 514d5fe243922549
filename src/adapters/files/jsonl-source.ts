import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { FrameBuilder, type Origin } from '../../kernel/frame.ts';
import type { Source, SourceListener } from '../../ports/source.ts';
import { readLines } from './lines.ts';

export interface JsonlSourceOptions {
  /** JSON Lines; `.gz` is unpacked on the way. */
  readonly file: string;
  /** Read instead of the file, whose name is then but a name. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  /** A frame has at most so many, and never more than the credit. */
  readonly frameRecords: number;
  /** Stop after this many records. */
  readonly limit: number;
  /** Called now and then with the bytes of the file read so far. */
  readonly onProgress: (readBytes: number) => void;
}

/** A frame is closed at this many bytes, so that a few long lines do not hold the whole credit. */
const FRAME_BYTES = 1024 * 1024;

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
  const frameRecords = Math.min(options.frameRecords, credit.maxRecords);
  const frameBytes = Math.min(credit.maxBytes, FRAME_BYTES);
  const stopping = new AbortController();
  const { signal } = stopping;

  async function read(listener: SourceListener): Promise<void> {
    let lines: (Buffer | number)[] = [];
    let numbers: number[] = [];
    let bytes = 0;
    let number = 0;
    let taken = 0;

    const handOver = async (): Promise<void> => {
      if (lines.length === 0 || !(await credit.take(lines.length, bytes, signal))) return;
      // Granted in the same turn as the halt: nothing may be handed over after that.
      if (signal.aborted) return credit.give(lines.length, bytes);
      const builder = new FrameBuilder(origin, lines.length, bytes);
      const nowMs = clock.wallMs();
      lines.forEach((line, i) => {
        if (typeof line === 'number') builder.appendReference(numbers[i], nowMs, line);
        else builder.append(numbers[i], nowMs, null, line, null);
      });
      listener.onFrame(builder.build(numbers[numbers.length - 1] + 1, nowMs, clock.monotonicMs()));
      lines = [];
      numbers = [];
      bytes = 0;
    };

    const { file, stdin, onProgress, limit } = options;
    for await (const line of readLines(file, { stdin, onProgress, maxLineBytes: credit.maxBytes, signal })) {
      const at = number++;
      const tooLarge = typeof line === 'number';
      const size = tooLarge ? 0 : line.length;
      if (size === 0 && !tooLarge) continue;
      if (lines.length === frameRecords || bytes + size > frameBytes) await handOver();
      if (signal.aborted) return;
      lines.push(line);
      numbers.push(at);
      bytes += size;
      if (++taken >= limit) break;
    }
    await handOver();
    if (!signal.aborted) listener.onEnd();
  }

  return {
    async start(listener) {
      listener.onAssigned(origin);
      read(listener).catch((thrown) => {
        // A file that is closed on purpose tells its reader that it ended too soon.
        if (!signal.aborted) listener.onFailed(fileError(options.file, thrown));
      });
    },
    commit: () => Promise.resolve(),
    // A read of a pipe that nobody writes to cannot be ended: nothing waits for it.
    async halt() {
      stopping.abort();
    },
    close: () => Promise.resolve(),
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
}

function fileError(file: string, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new SluiceError('file-missing', `there is no file ${file}`, thrown);
  if (code?.startsWith('Z_')) {
    const what = code === 'Z_BUF_ERROR' ? 'it ends too soon' : `it is not gzip, or damaged (${message})`;
    return new SluiceError('file-failed', `cannot unpack ${file}: ${what}`, thrown);
  }
  return new SluiceError('file-failed', `cannot read ${file}: ${message}`, thrown);
}
