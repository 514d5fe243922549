import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../../kernel/clock.ts';
import type { Histogram } from '../../ports/telemetry.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';

const RESOLUTION_MS = 20;

export type LoopDelays = Pick<
  ReturnType<typeof monitorEventLoopDelay>,
  'count' | 'percentiles' | 'reset' | 'enable' | 'disable'
>;

export interface ProcessMetricsDeps {
  readonly clock: Clock;
  readonly telemetry: MetricStore;
  /** Node's sampler, if not given. */
  readonly loopDelays?: LoopDelays;
}

/**
 * Figures of this process: processor time, memory, and those of this thread. Read when metrics are collected; in between, only Node's
 * own sampler of the event loop runs. `close` stops it.
 */
export function createProcessMetrics(deps: ProcessMetricsDeps): { close(): void } {
  const { clock, telemetry } = deps;
  const cpu = telemetry.counter('process_cpu_seconds_total');
  const startedAtSeconds = clock.wallMs() / 1000 - process.uptime();
  telemetry.gauge('process_start_time_seconds', {}, () => startedAtSeconds);
  telemetry.gauge('process_resident_memory_bytes', {}, () => process.memoryUsage.rss());
  telemetry.beforeSnapshot(() => {
    const { user, system } = process.cpuUsage();
    cpu.add((user + system) / 1e6 - cpu.value);
  });
  return createThreadMetrics(deps);
}

/** Figures of this thread: its event loop, its heap. One of several threads counts these alone; the process is main's. */
export function createThreadMetrics(deps: ProcessMetricsDeps): { close(): void } {
  const { telemetry } = deps;
  const loopDelays = deps.loopDelays ?? monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const loop = telemetry.histogram('sluice_event_loop_delay_seconds');
  telemetry.gauge('nodejs_heap_size_used_bytes', {}, () => process.memoryUsage().heapUsed);
  telemetry.gauge('nodejs_external_memory_bytes', {}, () => process.memoryUsage().external);
  telemetry.beforeSnapshot(() => moveLoopDelays(loopDelays, loop));
  loopDelays.enable();
  return { close: () => void loopDelays.disable() };
}

/**
 * Node's histogram can be read only by percentiles; each step between them stands for its share of the samples.
 * It records the time between two ticks of its timer → an idle loop looks 20 ms late → the resolution is subtracted.
 */
export function moveLoopDelays(from: LoopDelays, into: Histogram): void {
  const total = Number(from.count);
  if (total === 0) return;
  let moved = 0;
  for (const [percent, nanoseconds] of from.percentiles) {
    const upTo = Math.round((percent / 100) * total);
    if (upTo > moved) into.observeMany(Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000), upTo - moved);
    moved = Math.max(moved, upTo);
  }
  from.reset();
}
