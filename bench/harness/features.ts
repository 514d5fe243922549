/** Features of the enriched workload, written by Sluice's own loader into the emulator. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../../test/fixtures/random.ts';
import { sluice } from '../../test/fixtures/sluice.ts';
import type { Workload } from '../workloads/workloads.ts';
import type { Stage } from './stage.ts';

const SEED = 11;
const VIEWS: Readonly<Record<string, readonly string[]>> = {
  profile: ['age_days', 'tier', 'repairs', 'distance'],
  day: ['mean', 'spread', 'least', 'most'],
  week: ['mean', 'spread', 'least', 'most'],
};

export async function loadFeatures({ stack }: Stage, { features, topology }: Workload): Promise<void> {
  if (features === undefined) return;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-features-'));
  try {
    writeFileSync(join(dir, `${features.table}.jsonl`), rows(features.keys));
    const loaded = await sluice(['features', 'load', topology, dir], stack.env);
    if (loaded.code !== 0) throw new Error(`the features could not be loaded\n${loaded.stderr}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function rows(keys: number): string {
  const random = seeded(SEED);
  const view = (columns: readonly string[]) =>
    Object.fromEntries(columns.map((column) => [column, Math.round(random() * 2e6 - 1e6) / 1e6]));
  return Array.from({ length: keys }, (_, i) => {
    const families = Object.entries(VIEWS).map(([family, columns]) => [family, view(columns)]);
    return `${JSON.stringify({ key: `d${String(i).padStart(6, '0')}`, ...Object.fromEntries(families) })}\n`;
  }).join('');
}
