/**
 * Latency: records are sent at their intended times whether or not the contestant keeps up, and latency is from the
 * intended time to the append of the prediction by the broker (LogAppendTime: milliseconds). A prediction still missing GRACE_MS
 * after the last send is a miss. The intended time travels in the record and comes back in the prediction.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Sample, stamp } from '../workloads/records.ts';
import type { Workload } from '../workloads/workloads.ts';
import { type Arrivals, arrivalsOf } from './arrivals.ts';
import { encodeBatch, readBatches } from './batches.ts';
import type { Contestant, Job } from './contestants.ts';
import { eventLoopDelay, type LoopDelay } from './metrics.ts';
import { contend } from './process.ts';
import { Sendings } from './sendings.ts';
import { PARTITIONS, type Pool, type Stage } from './stage.ts';
import { readPrediction } from './verify.ts';
import type { Wire } from './wire.ts';

/** Upstream's linger. */
const TICK_MS = 2;
/** The most bytes per partition in one request: brokers take a megabyte, and a late generator may have more to send. */
const MAX_REQUEST_BYTES = 512 * 1024;
const GRACE_MS = 5_000;
const START_MS = 60_000;

export interface PacedOptions {
  readonly perSecond: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly budgetMs: number;
}

export interface Paced {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Share of the records whose prediction came after the budget, or not at all. */
  readonly misses: number;
  /** Share of the records that missed it only because the generator sent them late; part of `misses`. */
  readonly sentLate: number;
  readonly cpuUsPerRecord: number;
  readonly peakRssBytes: number;
  readonly loopDelay?: LoopDelay;
  /** The generator's own worst delay: above a few ms, the machine is measured and not the contestant. */
  readonly generatorLateMs: number;
}

export async function pace(
  stage: Stage,
  contestant: Contestant,
  job: Job,
  pool: Pool,
  options: PacedOptions,
): Promise<Paced> {
  await stage.createTopic(job.input);
  await stage.createTopic(job.output, { 'message.timestamp.type': 'LogAppendTime' });
  const process = contend(await contestant.command(job));
  try {
    const sender = createSender(stage.wire, job, pool, options.perSecond);
    await sender.until(Date.now() + 200);
    await firstOutput(stage.wire, job.output, () => process.ended());
    await sender.restart(options.warmSeconds * 1_000);
    const cpuUs = process.cpuUs();
    const { fromMs, sent, lateMs, sendings } = await sender.restart(options.seconds * 1_000);
    const cpuUsPerRecord = (process.cpuUs() - cpuUs) / sent;
    await pause(GRACE_MS);
    if (process.ended()) throw new Error('ended under load');
    const loopDelay = contestant.metrics === true ? await eventLoopDelay(process.said()) : undefined;
    const answered = await readLatencies(stage.wire, job.output, job.workload.codec, fromMs);
    const { budgetMs } = options;
    const sentLate = answered.filter(({ atMs, ms }) => ms > budgetMs && ms - sendings.lateMs(atMs) <= budgetMs).length;
    const latencies = answered.map(({ ms }) => ms).sort((one, other) => one - other);
    const quantile = (share: number): number =>
      latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
    const inTime = latencies.findLastIndex((ms) => ms <= budgetMs) + 1;
    return {
      perSecond: options.perSecond,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      p999Ms: quantile(0.999),
      maxMs: latencies[latencies.length - 1],
      misses: Math.max(0, 1 - inTime / sent),
      sentLate: sentLate / sent,
      cpuUsPerRecord,
      peakRssBytes: process.peakRssBytes(),
      loopDelay,
      generatorLateMs: lateMs,
    };
  } catch (error) {
    throw new Error(`${contestant.name}: ${(error as Error).message}\n${process.said().slice(-2_000)}`, {
      cause: error,
    });
  } finally {
    await process.stop();
  }
}

async function firstOutput(wire: Wire, topic: string, ended: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + START_MS;
  for (;;) {
    const ends = await wire.ends(topic, PARTITIONS);
    if (ends.some((end) => end > 0)) return;
    if (ended()) throw new Error('ended at its start');
    if (performance.now() > deadlineMs) throw new Error('no output within a minute');
    await pause(20);
  }
}

interface Sent {
  readonly fromMs: number;
  readonly sent: number;
  readonly lateMs: number;
  readonly sendings: Sendings;
}

function createSender(wire: Wire, { input, workload }: Job, pool: Pool, perSecond: number) {
  const arrivals = arrivalsOf(workload.arrivals, perSecond);
  const next = createDealer(pool);
  const most = Math.ceil(MAX_REQUEST_BYTES / Math.max(...pool.samples.map(({ value }) => value.length)));
  const until = async (endMs: number): Promise<Sent> => {
    const fromMs = Date.now();
    let sent = 0;
    let lateMs = 0;
    const sendings = new Sendings();
    let failure: unknown;
    const total = arrivals.dueBefore(endMs - fromMs);
    while (sent < total) {
      const now = Date.now();
      const due = Math.min(total, sent + most, arrivals.dueBefore(now - fromMs));
      const isBehind = due === sent + most;
      if (due > sent) {
        lateMs = Math.max(lateMs, now - fromMs - arrivals.intendedMs(sent));
        sendings.add(Math.floor(fromMs + arrivals.intendedMs(due - 1)), now);
        wire.produce(input, batchesOf(next, workload, arrivals, { fromMs, sent, due, now })).catch((error) => {
          failure = error;
        });
        sent = due;
      }
      if (failure !== undefined) throw failure;
      await pause(isBehind ? 0 : TICK_MS);
    }
    return { fromMs, sent, lateMs, sendings };
  };
  return { until, restart: (ms: number) => until(Date.now() + ms) };
}

/** Samples in the pool's order, each with its partition. */
function createDealer(pool: Pool): () => { sample: Sample; partition: number } {
  const partitions = new Map(
    pool.partitions.flatMap((of, partition) => of.map((sample) => [sample, partition] as const)),
  );
  let at = 0;
  return () => {
    const sample = pool.samples[at++ % pool.samples.length];
    return { sample, partition: partitions.get(sample) ?? 0 };
  };
}

function batchesOf(
  next: () => { sample: Sample; partition: number },
  { codec }: Workload,
  arrivals: Arrivals,
  { fromMs, sent, due, now }: { fromMs: number; sent: number; due: number; now: number },
): (Buffer | undefined)[] {
  const parts = Array.from({ length: PARTITIONS }, (): Sample[] => []);
  for (let i = sent; i < due; i++) {
    const { sample, partition } = next();
    stamp(sample.value, codec, Math.floor(fromMs + arrivals.intendedMs(i)));
    parts[partition].push(sample);
  }
  return parts.map((part) => (part.length === 0 ? undefined : encodeBatch(part, now)));
}

interface Answered {
  /** When the record was meant to be sent. */
  readonly atMs: number;
  /** From then until its prediction was appended. */
  readonly ms: number;
}

/** Of records meant to be sent from then on. */
async function readLatencies(wire: Wire, topic: string, codec: Workload['codec'], fromMs: number): Promise<Answered[]> {
  const ends = await wire.ends(topic, PARTITIONS);
  const at = Array<number>(PARTITIONS).fill(0);
  const answered: Answered[] = [];
  while (at.some((offset, partition) => offset < ends[partition])) {
    for (const { partition, records } of await wire.fetch(topic, at)) {
      const next = readBatches(records, ({ offset, value, timestampMs }) => {
        if (offset < at[partition]) return;
        const { atMs } = readPrediction(value, codec);
        if (atMs >= fromMs) answered.push({ atMs, ms: timestampMs - atMs });
      });
      if (next > 0) at[partition] = next;
    }
  }
  return answered;
}
