/** Resource use of a running process, measured from outside. Linux only. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sluice } from '../fixtures/sluice.ts';

export interface Samples {
  /** Highest seen, MiB. */
  rssMiB: number;
  heapMiB: number;
  externalMiB: number;
  inFlightRecords: number;
  inFlightBytes: number;
  looks: number;
}

/** Samples a running process every 100 ms until it is told to stop. Each sample is of one moment; gauges are not added up. */
export function sample(sluice: Sluice): { readonly samples: Samples; stop(): Promise<void> } {
  const samples: Samples = { rssMiB: 0, heapMiB: 0, externalMiB: 0, inFlightRecords: 0, inFlightBytes: 0, looks: 0 };
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      if (!existsSync(`/proc/${sluice.pid}/statm`)) return;
      const pages = Number(readFileSync(`/proc/${sluice.pid}/statm`, 'utf8').split(' ')[1]);
      samples.rssMiB = Math.max(samples.rssMiB, (pages * 4096) / 2 ** 20);
      const text = await sluice.metrics().catch(() => undefined);
      // The process is gone.
      if (text === undefined) return;
      // Before the pipeline has begun there is none.
      const value = (metric: string): number => Number(new RegExp(`^${metric} (.*)$`, 'm').exec(text)?.[1] ?? 0);
      samples.heapMiB = Math.max(samples.heapMiB, value('nodejs_heap_size_used_bytes') / 2 ** 20);
      samples.externalMiB = Math.max(samples.externalMiB, value('nodejs_external_memory_bytes') / 2 ** 20);
      samples.inFlightRecords = Math.max(samples.inFlightRecords, value('sluice_inflight_records'));
      samples.inFlightBytes = Math.max(samples.inFlightBytes, value('sluice_inflight_bytes'));
      samples.looks++;
      await pause(100);
    }
  })();
  return {
    samples,
    async stop() {
      stopped = true;
      await looking;
    },
  };
}

/** What the log said that memory stays below, MiB. */
export async function memoryBoundMiB(sluice: Sluice): Promise<number> {
  const bytes = await sluice.until('the bound is logged', () => {
    const [line] = sluice.logged('resident memory stays below this, whatever comes in');
    return line?.bytes as number | undefined;
  });
  return bytes / 2 ** 20;
}
