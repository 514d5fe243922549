import { type Answered, HandOver, type Stops } from '../../../kernel/bounded-source.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Credit } from '../../../kernel/credit.ts';
import type { Frame, Origin } from '../../../kernel/frame.ts';
import { FrameBuilder } from '../../../kernel/frame-builder.ts';
import type { BoundedSource, SourceListener } from '../../../ports/source.ts';
import { fileError } from '../file-error.ts';
import type { RecordFile } from './records.ts';

export interface FileSourceOptions {
  /** The topic of its records. */
  readonly name: string;
  /** A frame has at most so many, and never more than the credit. */
  readonly frameRecords: number;
  /** Stop after this many records. */
  readonly limit: number;
  /** Records before this offset are passed over; 0, if not given. */
  readonly from?: number;
  readonly answered?: Answered | undefined;
  readonly stops?: Stops | undefined;
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
): BoundedSource {
  const { clock, credit } = deps;
  const { from = 0, limit, answered, stops } = options;
  const origin: Origin = { topic: options.name, partition: 0, epoch: 0 };
  const frameRecords = Math.min(options.frameRecords, credit.maxRecords);
  const frameBytes = Math.min(credit.maxBytes, FRAME_BYTES);
  const stopping = new AbortController();
  const { signal } = stopping;
  let settled = from;

  async function read(listener: SourceListener): Promise<void> {
    const handing = new HandOver({ credit, signal, listener, stops }, new Map([[0, from]]));
    let values: (Buffer | number)[] = [];
    let offsets: number[] = [];
    let bytes = 0;
    let taken = 0;
    /** Behind what was read, and behind what was handed over. */
    let next = from;
    let handed = from;

    const makeFrame = (): Frame => {
      const builder = new FrameBuilder(origin, values.length, bytes);
      const nowMs = clock.wallMs();
      values.forEach((value, i) => {
        if (typeof value === 'number') builder.appendReference(offsets[i], nowMs, value);
        else builder.append(offsets[i], nowMs, null, value, null);
      });
      values = [];
      offsets = [];
      bytes = 0;
      handed = next;
      return builder.build(next, nowMs, clock.monotonicMs());
    };
    const handOver = async (): Promise<void> => {
      if (values.length > 0 && (await handing.take(values.length, bytes))) await handing.give(makeFrame());
    };

    reading: for await (const run of file.runs(signal)) {
      for (let i = 0; i < run.values.length; i++) {
        const offset = run.offsets[i];
        if (offset < from) continue;
        if (taken >= limit) break reading;
        const isAnswered = answered?.next(0, offset) === offset;
        const value = run.values[i];
        const size = typeof value === 'number' ? 0 : value.length;
        if (!isAnswered && (values.length === frameRecords || bytes + size > frameBytes)) await handOver();
        if (signal.aborted) return;
        next = offset + 1;
        taken++;
        if (isAnswered) continue;
        values.push(value);
        offsets.push(offset);
        bytes += size;
      }
      if (taken >= limit) break;
    }
    await handOver();
    // What was passed over behind the last frame is behind us as well.
    if (!signal.aborted && next > handed) await handing.alone(makeFrame());
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
    async commit(positions) {
      for (const { offset } of positions) settled = offset;
    },
    settled: () => new Map([[0, settled]]),
    // A read of a pipe that nobody writes to cannot be ended: nothing waits for it.
    async halt() {
      stopping.abort();
    },
    close: () => Promise.resolve(),
    lag: () => [],
    health: () => ({ ready: true, reason: '', live: true }),
  };
}
