/** Features of the enriched workload, written by Sluice's own loader into the emulator. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sluice } from '../../test/fixtures/sluice.ts';
import { featureLines } from '../workloads/features.ts';
import type { Workload } from '../workloads/workloads.ts';
import type { Stage } from './stage.ts';

export async function loadFeatures({ stack }: Stage, { features, topology }: Workload): Promise<void> {
  if (features === undefined) return;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-features-'));
  try {
    writeFileSync(join(dir, `${features.table}.jsonl`), featureLines(features.keys));
    const loaded = await sluice(['features', 'load', topology, dir], stack.env);
    if (loaded.code !== 0) throw new Error(`the features could not be loaded\n${loaded.stderr}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
