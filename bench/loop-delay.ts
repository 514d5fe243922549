/** How late a loop is: as it was, and by its own doing. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const SAMPLE_MS = 1;

export interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Node's own sampler, begun. */
export function startSampler(): ReturnType<typeof monitorEventLoopDelay> {
  const loop = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  loop.enable();
  return loop;
}

/** The loop of a process that does nothing: what the machine itself is late by. */
export async function idle(seconds: number): Promise<Lateness> {
  const loop = startSampler();
  await new Promise((resolve) => setTimeout(resolve, 1_000 * seconds));
  loop.disable();
  return lateness(loop);
}

/** Node records the time between two ticks of its timer: an idle loop would look as late as the timer is long. */
export function lateness(loop: ReturnType<typeof monitorEventLoopDelay>): Lateness {
  const late = (ns: number): number => Math.max(0, ns / 1e6 - SAMPLE_MS);
  return { p50Ms: late(loop.percentile(50)), p99Ms: late(loop.percentile(99)), maxMs: late(loop.max) };
}

/**
 * CPU that this thread takes between two ticks of a timer, ms, 99 in 100: how late a loop is by its own doing. What other
 * threads and programs take away in between is not in it, so it holds on a machine that is busy too.
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
