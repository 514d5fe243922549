import { linesOf } from '../../adapters/files/lines.ts';
import { partitionOfKey } from '../../kernel/bytes/murmur2.ts';
import { type Clock, pause } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';

export interface FeederOptions {
  readonly topic: string;
  readonly lines: readonly Buffer[];
  /** If there are fewer lines, they are repeated. */
  readonly records: number;
  /** 0: as fast as the broker takes them. */
  readonly perSecond: number;
}

export interface Feeder {
  /** Resolves when all records are produced, or `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Lines processed. */
  readonly sent: number;
  /** Records acknowledged by the broker: the lines sent, without those that the transcoder refused. */
  readonly produced: number;
}

/**
 * Lines of a file → keys and values in the topic's format, in order. `pass`: how many times the file has been sent before. A record
 * without a key goes to a partition by its number.
 */
export type Transcode = (
  lines: readonly Buffer[],
  pass: number,
  each: (key: Buffer | null, append: (slab: RecordSlab, timestampMs: number) => void) => void,
) => void;

const TICK_MS = 20;
const MAX_CHUNK = 1_000;

/** The non-empty lines of a file of events (.gz too). */
export async function eventLines(file: string): Promise<readonly Buffer[]> {
  const lines: Buffer[] = [];
  for await (const line of linesOf(file, () => undefined)) {
    if (line.length > 0) lines.push(line);
  }
  if (lines.length === 0) throw new SluiceError('file-invalid', `${file} has no events to stream`);
  return lines;
}

/** An upstream producer: lines of events → a topic, in its own format, paced, with the current time as timestamp. */
export function createFeeder(
  deps: { readonly clock: Clock; readonly sink: Sink; readonly transcode: Transcode },
  options: FeederOptions,
): Feeder {
  const { clock, sink, transcode } = deps;
  const { topic, lines } = options;
  let sent = 0;
  let produced = 0;

  async function send(count: number): Promise<void> {
    const slabs = new Map<number, RecordSlab>();
    const nowMs = clock.wallMs();
    const first = sent % lines.length;
    const chunk = lines.slice(first, first + Math.min(count, lines.length - first));
    let records = 0;
    transcode(chunk, Math.floor(sent / lines.length), (key, append) => {
      const partitions = sink.partitionCount(topic);
      const partition =
        key === null ? (produced + records) % partitions : partitionOfKey(key, 0, key.length, partitions);
      let slab = slabs.get(partition);
      if (slab === undefined) {
        slab = new RecordSlab(chunk.length, 64 * chunk.length);
        slabs.set(partition, slab);
      }
      append(slab, nowMs);
      records++;
    });
    await Promise.all([...slabs].map(([partition, slab]) => sink.send(topic, partition, slab)));
    sent += chunk.length;
    produced += records;
  }

  return {
    get sent() {
      return sent;
    },
    get produced() {
      return produced;
    },
    async run(signal) {
      const startedMs = clock.monotonicMs();
      while (sent < options.records && !signal.aborted) {
        const due =
          options.perSecond === 0
            ? MAX_CHUNK
            : Math.floor(((clock.monotonicMs() - startedMs + TICK_MS) * options.perSecond) / 1000) - sent;
        const count = Math.min(due, MAX_CHUNK, options.records - sent);
        if (count > 0) await send(count);
        if (options.perSecond > 0 && due <= MAX_CHUNK) await pause(clock, TICK_MS, signal);
      }
    },
  };
}
