import type { Clock } from './clock.ts';

/** Processor time used so far, ms. */
export interface ProcessorTimes {
  /** By all threads of the process. */
  processMs(): number;
  /** By the calling thread. */
  threadMs(): number;
}

/** As the operating system counts it. */
export const PROCESSOR_TIMES: ProcessorTimes = {
  processMs: () => sumMs(process.cpuUsage()),
  threadMs: () => sumMs(process.threadCpuUsage()),
};

/** It is measured at most this often: each measurement asks the operating system twice. */
const SAMPLE_MS = 50;
/** What happened this long ago counts for a third of what happens now. */
const MEMORY_MS = 300;

/**
 * Share of the processor time to be had that was used lately, 0 to 1: of the process's `cores`, or of one core by the thread that
 * calls, whichever is higher. A thread that has its core to itself cannot use the others, and threads that share a core wait for it.
 */
export function createProcessorLoad(
  { monotonicMs }: Pick<Clock, 'monotonicMs'>,
  cores: number,
  { processMs, threadMs }: ProcessorTimes = PROCESSOR_TIMES,
): () => number {
  let atMs = monotonicMs();
  let ofProcessMs = processMs();
  let ofThreadMs = threadMs();
  let load = 0;
  return () => {
    const elapsedMs = monotonicMs() - atMs;
    if (elapsedMs < SAMPLE_MS) return load;
    const wholeMs = processMs() - ofProcessMs;
    const ownMs = threadMs() - ofThreadMs;
    const lately = Math.min(1, Math.max(wholeMs / cores, ownMs) / elapsedMs);
    load += (lately - load) * (1 - Math.exp(-elapsedMs / MEMORY_MS));
    atMs += elapsedMs;
    ofProcessMs += wholeMs;
    ofThreadMs += ownMs;
    return load;
  };
}

function sumMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000;
}
