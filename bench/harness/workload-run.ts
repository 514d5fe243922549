/** One workload: every contestant takes its turn, round after round, on the same records. */
import type { Workload } from '../workloads/workloads.ts';
import type { Contestant, Job } from './contestants.ts';
import { type Drained, drain } from './drain.ts';
import { loadFeatures } from './features.ts';
import { type Paced, pace } from './paced.ts';
import { digits, type Result } from './report.ts';
import { fill, poolOf, type Stage } from './stage.ts';
import { expectedOf, verify } from './verify.ts';

const BUDGET_MS = 50;
/** At a fiftieth of a contestant's capacity, compilers on its one core need longer than in a drain. */
const WARM_SECONDS = 20;

export interface Wanted {
  readonly modes: readonly string[];
  readonly rounds: number;
  readonly records?: number;
  readonly rate?: number;
  /** Shares of the rate at which each contestant drained in this run; if empty, the fixed rate is used. */
  readonly loads?: readonly number[];
  readonly seconds: number;
  readonly quick: boolean;
}

export async function runWorkload(
  stage: Stage,
  workload: Workload,
  contestants: readonly Contestant[],
  wanted: Wanted,
  say: (line: string) => void,
): Promise<Result> {
  const able = contestants.filter(({ codecs }) => codecs.includes(workload.codec));
  const found = new Map(able.map((contestant) => [contestant, { drained: [] as Drained[], paced: [] as Paced[] }]));
  const input = `bench.${workload.name}`;
  const pool = poolOf(workload);
  const deadLetter = `${input}.dead-letter`;
  await stage.createTopic(deadLetter);
  if (workload.features !== undefined) await loadFeatures(stage, workload);
  const backlog = wanted.records ?? (wanted.quick ? workload.quickRecords : workload.records);
  const job = { workload, brokers: stage.brokers, bigtable: stage.stack.env.BIGTABLE_EMULATOR_HOST, input, deadLetter };
  const isDraining = wanted.modes.includes('drain');
  const records = isDraining ? await fill(stage, input, pool, backlog) : 0;
  const expected = isDraining ? await expectedOf(workload, pool) : new Map<string, Float32Array>();
  if (isDraining) say(`${workload.name}: ${records} records wait`);

  for (let round = 0; round < wanted.rounds; round++) {
    for (const [contestant, figures] of found) {
      const turn = `${contestant.name}-${round}`;
      if (isDraining) {
        const turnJob: Job = { ...job, output: `${input}.${turn}`, group: `${input}-${turn}`, records };
        await attempt(contestant, say, found, async () => {
          const drained = await drain(stage, contestant, turnJob);
          const compares = contestant.bare !== true;
          const compared = compares ? await verify(stage.wire, turnJob.output, workload, expected) : 0;
          figures.drained.push(drained);
          const rate = `${Math.round(drained.recordsPerSecond / 1_000)} k records/s`;
          const agreed = compares ? `, ${compared} predictions agree` : '';
          say(`  ${turn}: ${digits(drained.cpuUsPerRecord)} µs of CPU a record, ${rate}${agreed}`);
        });
        await stage.dropTopic(turnJob.output).catch(() => undefined);
      }
      if (!wanted.modes.includes('paced') || contestant.bare === true) continue;
      for (const perSecond of ratesOf(workload, wanted, figures.drained)) {
        if (!found.has(contestant)) break;
        await attempt(contestant, say, found, async () => {
          const paced = `${input}.paced-${turn}-${perSecond}`;
          const turnJob = { ...job, input: paced, output: `${paced}.out`, group: paced, records: 0 };
          const options = { perSecond, warmSeconds: WARM_SECONDS, seconds: wanted.seconds, budgetMs: BUDGET_MS };
          const result = await pace(stage, contestant, turnJob, pool, options);
          figures.paced.push(result);
          say(
            `  ${turn}, ${perSecond} records/s: p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms, misses ${(result.misses * 100).toFixed(2)} %`,
          );
          for (const topic of [turnJob.input, turnJob.output]) await stage.dropTopic(topic).catch(() => undefined);
        });
      }
    }
  }
  return { workload, rows: [...found].map(([contestant, figures]) => ({ contestant, ...figures })) };
}

/** The same in every round, so that rounds can be compared: loads are of the first round's rate. */
function ratesOf(workload: Workload, { loads = [], rate }: Wanted, drained: readonly Drained[]): number[] {
  if (loads.length === 0) return [rate ?? workload.rate];
  return loads.map((load) => Math.round(load * (drained[0]?.recordsPerSecond ?? 0)));
}

/** A peer that fails is left out with its reason; a failure of Sluice ends the run. */
async function attempt(
  contestant: Contestant,
  say: (line: string) => void,
  found: Map<Contestant, unknown>,
  turn: () => Promise<void>,
): Promise<void> {
  try {
    await turn();
  } catch (error) {
    if (contestant.name === 'sluice') throw error;
    say(`  ${contestant.name} is left out: ${(error as Error).message.trim()}`);
    found.delete(contestant);
  }
}
