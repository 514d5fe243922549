import type { HistogramSeries } from '../src/telemetry/metrics.ts';
import type { Feed } from './ends.ts';
import type { PathBench } from './in-process.ts';

export interface Rounds {
  /** µs of CPU a record, all threads, of each round. */
  readonly costs: readonly number[];
  /** Of the cheapest round: µs a record within each stage, chunks, rows a batch. */
  readonly stages: string;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly warmUp: number;
  readonly records: number;
  readonly frameRecords: number;
}

/** Drives the path several times: on a shared machine only the cheapest round is repeatable. */
export async function pathRounds(bench: PathBench, feed: Feed, options: RoundsOptions): Promise<Rounds> {
  const { rounds, records, ...drive } = options;
  const costs: number[] = [];
  let stages = '';
  for (let round = 0; round < rounds; round++) {
    let cpu = process.cpuUsage();
    let before = new Map<string, number>();
    const { telemetry, chunks } = await bench.run(feed, {
      ...drive,
      records,
      onWarm(soFar) {
        before = stageSeconds(soFar.series('sluice_stage_seconds'));
        cpu = process.cpuUsage();
      },
    });
    const { user, system } = process.cpuUsage(cpu);
    const cost = (user + system) / records;
    if (cost < Math.min(...costs)) {
      const after = [...stageSeconds(telemetry.series('sluice_stage_seconds'))];
      const each = after.map(
        ([stage, seconds]) => `${stage} ${(((seconds - (before.get(stage) ?? 0)) * 1e6) / records).toFixed(3)}`,
      );
      const [batches] = telemetry.series('sluice_batch_rows') as readonly HistogramSeries[];
      const size = (batches.sum / batches.count).toFixed(0);
      stages = `${each.join('  ')}; ${chunks} chunks; ${size} rows a batch`;
    }
    costs.push(cost);
  }
  return { costs, stages };
}

type StageSeries = { readonly labels: Readonly<Record<string, string>>; readonly sum?: number };

function stageSeconds(series: readonly StageSeries[]): Map<string, number> {
  return new Map(series.map(({ labels, sum = 0 }) => [labels.stage, sum]));
}
