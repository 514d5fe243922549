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
 * How busy the processor has been lately, 0 to 1: the share of the process's `cores` that all its threads used, or the share of one core
 * that the calling thread used, whichever is higher. A thread cannot use more than one core, whatever the others do.
 *
 * Limits: other processes do not count, nor does a model in a process of its own; a quota below one core counts as one, so such a
 * process looks less busy than it is.
 */
export function createProcessorLoad(
  { clock, times = PROCESSOR_TIMES }: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly times?: ProcessorTimes },
  cores: number,
): () => number {
  const { processMs, threadMs } = times;
  let atMs = clock.monotonicMs();
  let ofProcessMs = processMs();
  let ofThreadMs = threadMs();
  let load = 0;
  return () => {
    const elapsedMs = clock.monotonicMs() - atMs;
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
