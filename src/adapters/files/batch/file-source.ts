import type { Clock } from '../../../kernel/clock.ts';
import type { Credit } from '../../../kernel/credit.ts';
import { FrameBuilder, type Origin } from '../../../kernel/frame.ts';
import type { Source, SourceListener } from '../../../ports/source.ts';
import { fileError } from '../file-error.ts';
import type { RecordFile } from './records.ts';

export interface FileSourceOptions {
  /** The topic of its records. */
  readonly name: string;
  /** A frame has at most so many, and never more than the credit. */
  readonly frameRecords: number;
  /** Stop after this many records. */
  readonly limit: number;
}

/** A frame is closed at this many bytes, so that a few long records do not hold the whole credit. */
const FRAME_BYTES = 1024 * 1024;

/**
 * A bounded file as a source: one partition, offsets as its reader says.
 *
 * Timestamps are the time of reading. A value larger than the credit is handed over by reference, as one from Kafka would be.
 * Memory: one frame and what the reader buffers.
 */
export function createFileSource(
  deps: { readonly clock: Clock; readonly credit: Credit },
  file: RecordFile,
  options: FileSourceOptions,
): Source {
  const { clock, credit } = deps;
  const origin: Origin = { topic: options.name, partition: 0, epoch: 0 };
  const frameRecords = Math.min(options.frameRecords, credit.maxRecords);
  const frameBytes = Math.min(credit.maxBytes, FRAME_BYTES);
  const stopping = new AbortController();
  const { signal } = stopping;

  async function read(listener: SourceListener): Promise<void> {
    let values: (Buffer | number)[] = [];
    let offsets: number[] = [];
    let bytes = 0;
    let taken = 0;

    const handOver = async (): Promise<void> => {
      if (values.length === 0 || !(await credit.take(values.length, bytes, signal))) return;
      // Granted in the same turn as the halt: nothing may be handed over after that.
      if (signal.aborted) return credit.give(values.length, bytes);
      const builder = new FrameBuilder(origin, values.length, bytes);
      const nowMs = clock.wallMs();
      values.forEach((value, i) => {
        if (typeof value === 'number') builder.appendReference(offsets[i], nowMs, value);
        else builder.append(offsets[i], nowMs, null, value, null);
      });
      listener.onFrame(builder.build(offsets[offsets.length - 1] + 1, nowMs, clock.monotonicMs()));
      values = [];
      offsets = [];
      bytes = 0;
    };

    reading: for await (const run of file.runs(signal)) {
      for (let i = 0; i < run.values.length; i++) {
        if (taken >= options.limit) break reading;
        const value = run.values[i];
        const size = typeof value === 'number' ? 0 : value.length;
        if (values.length === frameRecords || bytes + size > frameBytes) await handOver();
        if (signal.aborted) return;
        values.push(value);
        offsets.push(run.offsets[i]);
        bytes += size;
        taken++;
      }
      if (taken >= options.limit) break;
    }
    await handOver();
    if (!signal.aborted) listener.onEnd();
  }

  return {
    async start(listener) {
      listener.onAssigned(origin);
      read(listener).catch((thrown) => {
        // A file that is closed on purpose tells its reader that it ended too soon.
        if (!signal.aborted) listener.onFailed(fileError(options.name, thrown));
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
