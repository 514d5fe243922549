/**
 * Throughput: a contestant drains a backlog. Progress is what the broker has appended to its output, cost is the CPU time that the system
 * charges to its process, both read from outside at the same moments, so that no contestant measures itself.
 *
 * The window opens when half the backlog is done, or WARM_MS after the first output if half would take longer, and ends
 * at 95 %, or after WINDOW_MS: compilers are warm, and nothing waits for records.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Contestant, Job } from './contestants.ts';
import { eventLoopDelay, type LoopDelay } from './metrics.ts';
import { type Contender, contend } from './process.ts';
import type { Stage } from './stage.ts';
import { PARTITIONS } from './stage.ts';

const LOOK_EVERY_MS = 20;
const WARM_MS = 8_000;
const WINDOW_MS = 12_000;
const START_MS = 60_000;
const STALL_MS = 30_000;

export interface Drained {
  readonly cpuUsPerRecord: number;
  readonly recordsPerSecond: number;
  readonly peakRssBytes: number;
  readonly records: number;
  readonly loopDelay?: LoopDelay;
}

interface Look {
  readonly atMs: number;
  readonly records: number;
  readonly cpuUs: number;
}

export async function drain({ wire, createTopic }: Stage, contestant: Contestant, job: Job): Promise<Drained> {
  await createTopic(job.output);
  const process = contend(await contestant.command(job));
  try {
    const look = async (): Promise<Look> => {
      const ends = await wire.ends(job.output, PARTITIONS);
      if (process.ended()) throw new Error(`${contestant.name} ended before its work was done\n${process.said()}`);
      const records = ends.reduce((sum, end) => sum + end, 0);
      return { atMs: performance.now(), records, cpuUs: process.cpuUs() };
    };
    const from = await open(look, job.records);
    const to = await close(look, from, job.records);
    const records = to.records - from.records;
    return {
      cpuUsPerRecord: (to.cpuUs - from.cpuUs) / records,
      recordsPerSecond: (records / (to.atMs - from.atMs)) * 1_000,
      peakRssBytes: process.peakRssBytes(),
      records,
      loopDelay: contestant.metrics === true ? await eventLoopDelay(process.said()) : undefined,
    };
  } catch (error) {
    throw new Error(`${contestant.name}: ${(error as Error).message}\n${tail(process)}`, { cause: error });
  } finally {
    await process.stop();
  }
}

async function open(look: () => Promise<Look>, backlog: number): Promise<Look> {
  const startedMs = performance.now();
  let firstMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const now = await look();
    if (now.records > 0) firstMs = Math.min(firstMs, now.atMs);
    if (now.records >= backlog / 2 || now.atMs - firstMs > WARM_MS) return now;
    if (now.records === 0 && now.atMs - startedMs > START_MS) throw new Error('no output within a minute');
    await pause(LOOK_EVERY_MS);
  }
}

async function close(look: () => Promise<Look>, from: Look, backlog: number): Promise<Look> {
  let last = from;
  for (;;) {
    await pause(LOOK_EVERY_MS);
    const now = await look();
    // The window ends at 95 %, so that waiting for the last records is not in it.
    if (now.records > backlog * 0.95) {
      if (last.records === from.records) throw new Error('too few records to measure: give more');
      return last;
    }
    if (now.records > last.records) last = now;
    if (now.atMs - from.atMs > WINDOW_MS) return last;
    if (now.atMs - last.atMs > STALL_MS) throw new Error(`stalled at ${now.records} of ${backlog} records`);
  }
}

function tail(process: Contender): string {
  return process.said().slice(-2_000);
}
