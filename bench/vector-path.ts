/**
 * What wide vectors cost a record, without a broker: `node bench/vector-path.ts [avro|json] [records] [frameBytes]`.
 * CPU of the process (all its threads), the best of some rounds, and where the time goes by stage; the two ends cost a frame's
 * work only. With `--cpu-prof` in front of the file, a profile of it. Reports, and never fails.
 */
import type { HistogramSeries } from '../src/telemetry/metrics.ts';
import { createVectorBench } from './in-process.ts';
import { vectorFeed } from './vectors.ts';

const ROUNDS = 6;
const FEED = 2_000;

const [format, ...numbers] = process.argv.slice(2);
if (format !== 'avro' && format !== 'json') throw new Error('name a format: avro or json');
const [records = format === 'avro' ? 100_000 : 30_000, frameBytes = 262_144] = numbers.map(Number);

const bench = await createVectorBench(format);
const feed = vectorFeed(FEED, format);
const recordBytes = feed.values.reduce((sum, value) => sum + value.length, 0) / FEED;
// As the source cuts them.
const frameRecords = Math.max(1, Math.min(512, Math.floor(frameBytes / recordBytes)));
let best = { cpu: Number.POSITIVE_INFINITY, stages: '' };
const costs: string[] = [];
for (let round = 0; round < ROUNDS; round++) {
  let cpu = process.cpuUsage();
  let before = new Map<string, number>();
  const { telemetry, chunks } = await bench.run(feed, {
    warmUp: 20_000,
    records,
    frameRecords,
    onWarm(soFar) {
      before = stageSeconds(soFar.series('sluice_stage_seconds'));
      cpu = process.cpuUsage();
    },
  });
  const { user, system } = process.cpuUsage(cpu);
  const cost = (user + system) / records;
  costs.push(cost.toFixed(2));
  if (cost >= best.cpu) continue;
  const after = [...stageSeconds(telemetry.series('sluice_stage_seconds'))];
  const each = after.map(([stage, s]) => `${stage} ${(((s - (before.get(stage) ?? 0)) * 1e6) / records).toFixed(2)}`);
  const [batches] = telemetry.series('sluice_batch_rows') as readonly HistogramSeries[];
  const size = (batches.sum / batches.count).toFixed(0);
  best = { cpu: cost, stages: `${each.join('  ')}; ${chunks} chunks; ${size} rows a batch` };
}
await bench.close();
const { rss } = process.memoryUsage();
console.log(
  `${format}, ${Math.round(recordBytes)} B, frames of ${frameRecords}: ${best.cpu.toFixed(2)} µs CPU a record (rounds: ${costs.join(' ')}), ${Math.round(rss / 1e6)} MB`,
);
console.log(`µs within each stage, time, not CPU: ${best.stages}`);

type StageSeries = { readonly labels: Readonly<Record<string, string>>; readonly sum?: number };

function stageSeconds(series: readonly StageSeries[]): Map<string, number> {
  return new Map(series.map(({ labels, sum = 0 }) => [labels.stage, sum]));
}
