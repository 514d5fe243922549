/**
 * A backlog drained by several instances of one contestant: processes, or pipelines in one process. Progress is what the broker has appended,
 * cost is the CPU time that the system charges to all processes together, both after a third of the records: compilers are warm, the group has formed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Contestant, Job } from './contestants.ts';
import { type Contender, contend } from './process.ts';
import { PARTITIONS, type Stage } from './stage.ts';

const LOOK_EVERY_MS = 50;
const STALL_MS = 30_000;
const FIFTHS = 5;

export interface Fleet {
  readonly processes: number;
  /** Pipelines in each process. */
  readonly instances: number;
  /** Cores that all of them share, as taskset names them; the first, if not given. */
  readonly cores?: string;
}

export interface FleetDrained {
  readonly cpuUsPerRecord: number;
  readonly recordsPerSecond: number;
  /** Sum over all processes, after each fifth of the records. */
  readonly rssBytes: readonly number[];
}

export async function drainByFleet(
  stage: Stage,
  contestant: Contestant,
  job: Job,
  { processes, instances, cores }: Fleet,
): Promise<FleetDrained> {
  await stage.createTopic(job.output);
  const command = await contestant.command(job);
  const args = [...command.args, '--instances', String(instances)];
  const all: Contender[] = Array.from({ length: processes }, () => contend({ ...command, args }, cores));
  const sum = (of: (each: Contender) => number): number => all.reduce((total, each) => total + of(each), 0);
  const have = job.records;
  try {
    const rssBytes: number[] = [];
    let from: { readonly atMs: number; readonly done: number; readonly cpuUs: number } | undefined;
    for (let last = 0, lastMs = performance.now(); ; ) {
      await pause(LOOK_EVERY_MS);
      const ended = all.find((each) => each.ended());
      if (ended !== undefined) throw new Error(`it ended before its work was done\n${ended.said()}`);
      const done = (await stage.wire.ends(job.output, PARTITIONS)).reduce((total, end) => total + end, 0);
      const now = { atMs: performance.now(), done, cpuUs: sum((each) => each.cpuUs()) };
      if (done > last) [last, lastMs] = [done, now.atMs];
      if (now.atMs - lastMs > STALL_MS && from !== undefined) throw new Error(`stalled at ${done} of ${have} records`);
      if (from === undefined && done > have / 3) from = now;
      if (done >= ((rssBytes.length + 1) * have * 0.99) / FIFTHS) rssBytes.push(sum((each) => each.rssBytes()));
      if (rssBytes.length < FIFTHS || from === undefined) continue;
      return {
        recordsPerSecond: ((now.done - from.done) / (now.atMs - from.atMs)) * 1_000,
        cpuUsPerRecord: (now.cpuUs - from.cpuUs) / (now.done - from.done),
        rssBytes,
      };
    }
  } finally {
    await Promise.all(all.map((each) => each.stop()));
    await stage.dropTopic(job.output);
  }
}
