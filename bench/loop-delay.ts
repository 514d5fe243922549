/** How late an event loop is: in total, and by its own work. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const SAMPLE_MS = 1;

export interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Node's own sampler, started. */
export function startSampler(): ReturnType<typeof monitorEventLoopDelay> {
  const loop = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  loop.enable();
  return loop;
}

/** The loop of a process that does nothing: how late the machine itself is. */
export async function idle(seconds: number): Promise<Lateness> {
  const loop = startSampler();
  await new Promise((resolve) => setTimeout(resolve, 1_000 * seconds));
  loop.disable();
  return lateness(loop);
}

/** Node records the time between two ticks of its timer, so an idle loop looks late by one period. */
export function lateness(loop: ReturnType<typeof monitorEventLoopDelay>): Lateness {
  const late = (ns: number): number => Math.max(0, ns / 1e6 - SAMPLE_MS);
  return { p50Ms: late(loop.percentile(50)), p99Ms: late(loop.percentile(99)), maxMs: late(loop.max) };
}

/**
 * CPU that this thread takes between two ticks of a timer, ms, p99: how late the loop is by its own work. Time taken by other
 * threads and programs is not in it, so it is valid on a busy machine too.
 */
export function startTurns(): () => number {
  const turns: number[] = [];
  let before = process.threadCpuUsage();
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    turns.push((now.user + now.system - before.user - before.system) / 1_000);
    before = now;
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return turns.sort((a, b) => a - b)[Math.floor(turns.length * 0.99)];
  };
}
