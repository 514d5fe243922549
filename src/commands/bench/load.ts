import { type Clock, pause } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import { encodeHeaders } from '../../kernel/headers.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Ledger } from './ledger.ts';

/** Header `RUN/SEQ` that marks a record as sent by a bench run. */
export const BENCH_HEADER = 'sluice-bench';

export interface Load {
  readonly topics: readonly string[];
  readonly values: readonly Buffer[];
  readonly run: string;
  readonly perSecond: number;
  readonly records: number;
}

export interface Loaded {
  readonly seconds: number;
  readonly sent: number;
  /** One entry per record: how late it was handed to the client, ms. */
  readonly lateMs: Float64Array;
}

const TICK_MS = 1;
const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 256 * 1024;
const RETRY_MS = 100;

interface Lane {
  readonly topic: string;
  readonly partition: number;
  /** Records waiting for the current call, in a list of slabs. */
  readonly waiting: Chunk[];
  calling: Promise<void> | undefined;
}

interface Chunk {
  readonly rows: RecordSlab;
  readonly seqs: number[];
}

/**
 * Open loop: sends records at a fixed rate, each at its own time, whatever happens to earlier ones. The schedule never slips; a late
 * record still counts from its intended time, so that a stalled pipeline or broker cannot slow down the load that would reveal the
 * stall. Records have no key, rotate over partitions, and carry their intended send time as timestamp.
 */
export async function sendLoad(
  deps: { readonly clock: Clock; readonly sink: Sink; readonly ledger: Ledger; readonly signal: AbortSignal },
  { topics, values, run, perSecond, records }: Load,
): Promise<Loaded> {
  const { clock, sink, ledger, signal } = deps;
  const lanes = topics.flatMap((topic) =>
    Array.from({ length: sink.partitionCount(topic) }, (_, partition): Lane => {
      return { topic, partition, waiting: [], calling: undefined };
    }),
  );
  const lateMs = new Float64Array(records);
  const startMs = clock.monotonicMs() + TICK_MS;
  const wallMs = clock.wallMs() + TICK_MS;
  const meantMs = (seq: number): number => (seq * 1000) / perSecond;
  let failure: unknown;
  let seq = 0;

  async function drain(lane: Lane): Promise<void> {
    for (let chunk = lane.waiting.shift(); chunk !== undefined; chunk = lane.waiting.shift()) {
      const nowMs = clock.monotonicMs() - startMs;
      for (const one of chunk.seqs) lateMs[one] = Math.max(0, nowMs - meantMs(one));
      await sendChunk(lane, chunk);
    }
  }

  /** Retries until the broker has it or nobody waits any longer: a record counted as sent must exist. */
  async function sendChunk({ topic, partition }: Lane, { rows }: Chunk): Promise<void> {
    for (;;) {
      try {
        return await sink.send(topic, partition, rows);
      } catch (thrown) {
        if (classify(thrown).disposition !== 'retry' || signal.aborted) throw thrown;
        await pause(clock, RETRY_MS, signal);
      }
    }
  }

  function append(lane: Lane): void {
    const value = values[seq % values.length];
    let chunk = lane.waiting.at(-1);
    if (chunk === undefined || chunk.rows.count === CHUNK_RECORDS || chunk.rows.used + value.length > CHUNK_BYTES) {
      chunk = { rows: new RecordSlab(64, 64 * value.length), seqs: [] };
      lane.waiting.push(chunk);
    }
    const headers = encodeHeaders([{ name: BENCH_HEADER, value: Buffer.from(`${run}/${seq}`) }]);
    chunk.rows.append(Math.floor(wallMs + meantMs(seq)), null, value, headers);
    chunk.seqs.push(seq);
    ledger.intend(seq, startMs + meantMs(seq));
    seq++;
  }

  while (seq < records && !signal.aborted && failure === undefined) {
    const due = Math.min(records, Math.floor(((clock.monotonicMs() - startMs) * perSecond) / 1000) + 1);
    while (seq < due) append(lanes[seq % lanes.length]);
    for (const lane of lanes) {
      if (lane.calling !== undefined || lane.waiting.length === 0) continue;
      lane.calling = drain(lane).then(
        () => {
          lane.calling = undefined;
        },
        (thrown) => {
          failure ??= thrown;
        },
      );
    }
    await pause(clock, Math.max(TICK_MS, startMs + meantMs(seq) - clock.monotonicMs()), signal);
  }
  await Promise.all(lanes.map(({ calling }) => calling));
  if (failure === undefined) for (const lane of lanes) await drain(lane);
  if (failure !== undefined) throw failure;
  let lastMs = (seq * 1000) / perSecond;
  for (let one = 0; one < seq; one++) lastMs = Math.max(lastMs, meantMs(one) + lateMs[one]);
  return { seconds: lastMs / 1000, sent: seq, lateMs: lateMs.subarray(0, seq) };
}
