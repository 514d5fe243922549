/**
 * What the light job costs a record, without a broker: `node bench/light-path.ts [records] [frameRecords] [maxBatch]`.
 * CPU of the process (all its threads), the best of some rounds, which alone repeats on a machine that others use; the two
 * ends cost a frame's work only. Reports, and never fails.
 */

import type { HistogramSeries } from '../src/telemetry/metrics.ts';
import { createLightBench, SCHEMA_ID } from './in-process.ts';
import { lightFeed } from './light.ts';

const ROUNDS = 10;
const FEED = 65_536;

const [records = 1_000_000, frameRecords = 512, maxBatch] = process.argv.slice(2).map(Number);

const bench = await createLightBench({ maxBatch });
const feed = lightFeed(FEED, SCHEMA_ID);
const costs: number[] = [];
let stages = '';
for (let round = 0; round < ROUNDS; round++) {
  let cpu = process.cpuUsage();
  let before = new Map<string, number>();
  const { telemetry, chunks } = await bench.run(feed, {
    warmUp: 200_000,
    records,
    frameRecords,
    onWarm(soFar) {
      before = stageSeconds(soFar.series('sluice_stage_seconds'));
      cpu = process.cpuUsage();
    },
  });
  const { user, system } = process.cpuUsage(cpu);
  const cost = (user + system) / records;
  if (cost < Math.min(...costs)) {
    const after = [...stageSeconds(telemetry.series('sluice_stage_seconds'))];
    const each = after.map(([stage, s]) => `${stage} ${(((s - (before.get(stage) ?? 0)) * 1e6) / records).toFixed(3)}`);
    const [batches] = telemetry.series('sluice_batch_rows') as readonly HistogramSeries[];
    const size = (batches.sum / batches.count).toFixed(0);
    stages = `${each.join('  ')}; ${chunks} chunks; ${size} rows a batch`;
  }
  costs.push(cost);
}
await bench.close();
const rest = costs.map((cost) => cost.toFixed(3)).join(' ');
console.log(`frames of ${frameRecords}: ${Math.min(...costs).toFixed(3)} µs CPU a record (rounds: ${rest})`);
console.log(`µs within each stage, time, not CPU: ${stages}`);

type StageSeries = { readonly labels: Readonly<Record<string, string>>; readonly sum?: number };

function stageSeconds(series: readonly StageSeries[]): Map<string, number> {
  return new Map(series.map(({ labels, sum = 0 }) => [labels.stage, sum]));
}
