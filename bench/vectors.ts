/** The vector workloads for benches without a broker: 784 floats a record, as Avro (3 KB) or JSON (8 KB), with records of their own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Feed } from './ends.ts';
import { samples } from './workloads/records.ts';
import { WORKLOADS, type Workload } from './workloads/workloads.ts';

const FOLDER = 'bench/workloads/vectors';

export function vectorTopology(format: 'avro' | 'json'): string {
  // The copy lies in another folder.
  return readFileSync(join(FOLDER, `ffnn-${format}.yaml`), 'utf8').replaceAll(/models\/ffnn|[\w-]+\.avsc/g, (file) =>
    join(process.cwd(), FOLDER, file),
  );
}

export function vectorFeed(records: number, format: 'avro' | 'json'): Feed {
  const keys: Buffer[] = [];
  const values: Buffer[] = [];
  for (const { key, value } of samples({ ...(WORKLOADS.get(`ffnn-${format}`) as Workload), pool: records })) {
    keys.push(key);
    values.push(value);
  }
  return { keys, values };
}
