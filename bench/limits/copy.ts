/**
 * The bare columnar loop: Sluice's own source and sink with nothing between them, as a contestant of bench/run.ts. A frame
 * goes out unchanged, its arena lent to the sink; positions are committed once a second, after their acknowledgements.
 */
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { Credit } from '../../src/kernel/credit.ts';
import type { Frame, Origin } from '../../src/kernel/frame.ts';
import { RecordSlab } from '../../src/kernel/record-slab.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { Watermarks } from '../../src/offsets/watermark.ts';
import { createTelemetry } from '../../src/telemetry/metrics.ts';

/** A frame is a chunk here, so it is as large as a chunk should be. */
const FRAME_RECORDS = 4_096;
const FRAME_BYTES = 1 << 20;
const COMMIT_EVERY_MS = 1_000;

const { BENCH_BROKERS = '', BENCH_INPUT = '', BENCH_OUTPUT = '', BENCH_GROUP = '' } = process.env;
const clock = createSystemClock();
const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
const deps = { clock, telemetry, random: Math.random };
const connection = { brokers: BENCH_BROKERS.split(','), clientId: 'bench' };
const credit = new Credit({ maxRecords: 100_000, maxBytes: 64 << 20 });
const watermarks = new Watermarks();
const tails = new Map<Origin, Promise<void>>();

const sink = createKafkaSink(deps, connection);
await sink.open([BENCH_OUTPUT]);
const source = createKafkaSource(
  { ...deps, credit },
  {
    ...connection,
    groupId: BENCH_GROUP,
    topics: [BENCH_INPUT],
    from: 'earliest',
    drainMs: 5_000,
    frameRecords: FRAME_RECORDS,
    frameBytes: FRAME_BYTES,
    quarantine: false,
  },
);

await source.start({
  onAssigned: (origin) => watermarks.open(origin),
  onFrame(frame) {
    watermarks.admit(frame);
    const { origin } = frame;
    const before = tails.get(origin) ?? Promise.resolve();
    tails.set(origin, before.then(() => copy(frame)).catch(fail));
  },
  onAlone: () => Promise.reject(new Error('there is no quarantine here')),
  isHeld: () => false,
  onRevoking: async () => true,
  onRevoked: (origin) => void watermarks.close(origin),
  onEnd: () => undefined,
  onFailed: fail,
});
setInterval(() => void commit().catch(fail), COMMIT_EVERY_MS);
process.once('SIGTERM', () => void source.halt().then(() => process.exit(0)));

async function copy(frame: Frame): Promise<void> {
  if (frame.count > 0) await sink.send(BENCH_OUTPUT, frame.origin.partition, lent(frame));
  frame.unsettled = 0;
  credit.give(frame.count, frame.bytes);
  watermarks.advance(frame.origin);
}

/** The frame's own memory, as rows to send. */
function lent(frame: Frame): RecordSlab {
  const { arena, count, timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = frame;
  const columns = { timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd };
  const view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
  const slab = Object.assign(new RecordSlab(0, 0), { arena, view, count, used: frame.bytes });
  // In place of those that a slab reads off its bytes.
  for (const [name, value] of Object.entries(columns)) Object.defineProperty(slab, name, { value });
  return slab;
}

async function commit(): Promise<void> {
  const positions = watermarks.committable();
  if (positions.length === 0) return;
  await source.commit(positions);
  for (const { origin, offset } of positions) watermarks.markCommitted(origin, offset);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
