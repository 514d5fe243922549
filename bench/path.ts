/**
 * CPU per record of the path, without a broker: `node bench/path.ts [records]`.
 *
 * CPU of a process (all its threads) a record: the assembled path over Avro and JSON, with every look-up answered by the
 * cache or by the store, and beside it the same job written by hand with avsc, Map and ONNX Runtime. Each variant has
 * processes of its own, as in production, and they take turns; the best round of each is reported, because other work on the
 * machine can only add. The ratios carry over to other machines, the microseconds do not. Only reports, never fails.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createByHand } from './by-hand.ts';
import { createPathBench, feedOf, readFlights, type Variant } from './in-process.ts';

const ROUNDS = 6;
const TURNS = 3;
const BATCH = 256;

const VARIANTS: Readonly<Record<string, Variant & { readonly byHand: boolean }>> = {
  'Sluice, Avro, cached': { format: 'avro', cache: 'all', byHand: false },
  'Sluice, Avro, as shipped': { format: 'avro', cache: 'shipped', byHand: false },
  'Sluice, Avro, not cached': { format: 'avro', cache: 'none', byHand: false },
  'Sluice, JSON, cached': { format: 'json', cache: 'all', byHand: false },
  'by hand, Avro': { format: 'avro', cache: 'all', byHand: true },
  'by hand, JSON': { format: 'json', cache: 'all', byHand: true },
};

interface Round {
  /** µs of CPU a record. */
  readonly cpu: number;
  readonly perSecond: number;
  /** µs a record within a stage. */
  readonly stages: Readonly<Record<string, number>>;
}

const [first = '100000', asked] = process.argv.slice(2);
const records = Number(first);
if (asked !== undefined) console.log(JSON.stringify(await measure(asked)));
else report(takeTurns());

/** In a process of its own. */
async function measure(name: string): Promise<Round> {
  const variant = VARIANTS[name];
  const rounds = variant.byHand ? await roundsByHand(variant) : await roundsOfPath(variant);
  return best(rounds);
}

function best(rounds: readonly Round[]): Round {
  return rounds.reduce((least, round) => (round.cpu < least.cpu ? round : least));
}

/** CPU and time since the call. */
function startMeter(): () => Omit<Round, 'stages'> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { cpu: (user + system) / records, perSecond: (records / (performance.now() - startedMs)) * 1000 };
  };
}

async function roundsOfPath(variant: Variant): Promise<Round[]> {
  const bench = await createPathBench(variant);
  const feed = feedOf(readFlights(), variant.format);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let stop = startMeter();
    let before: Readonly<Record<string, number>> = {};
    const { telemetry } = await bench.run(feed, {
      warmUp: 60_000,
      records,
      onWarm(soFar) {
        before = stageSeconds(soFar.series('sluice_stage_seconds'));
        stop = startMeter();
      },
    });
    const measured = stop();
    const after = Object.entries(stageSeconds(telemetry.series('sluice_stage_seconds')));
    const stages = after.map(([stage, seconds]) => [stage, ((seconds - before[stage]) * 1e6) / records]);
    rounds.push({ ...measured, stages: Object.fromEntries(stages) });
  }
  await bench.close();
  return rounds;
}

type StageSeries = { readonly labels: Readonly<Record<string, string>>; readonly sum?: number };

function stageSeconds(series: readonly StageSeries[]): Readonly<Record<string, number>> {
  return Object.fromEntries(series.map(({ labels, sum = 0 }) => [labels.stage, sum]));
}

async function roundsByHand({ format }: Variant): Promise<Round[]> {
  const peer = await createByHand(format);
  const { values } = feedOf(readFlights(), format);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const stop = startMeter();
    for (let sent = 0; sent < records; sent += BATCH) {
      const from = sent % (values.length - BATCH);
      await peer.score(values.slice(from, from + BATCH));
    }
    rounds.push({ ...stop(), stages: {} });
  }
  await peer.close();
  return rounds;
}

function takeTurns(): ReadonlyMap<string, Round> {
  const turns = Array.from({ length: TURNS }, () =>
    Object.keys(VARIANTS).map((name) => {
      const args = [fileURLToPath(import.meta.url), String(records), name];
      return [name, JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Round] as const;
    }),
  ).flat();
  return new Map(
    Object.keys(VARIANTS).map((name) => [name, best(turns.flatMap(([of, round]) => (of === name ? [round] : [])))]),
  );
}

function report(found: ReadonlyMap<string, Round>): void {
  console.log(`${records} flights a round, ${TURNS} × ${ROUNDS} rounds, the best of each\n`);
  for (const [name, { cpu, perSecond }] of found) {
    console.log(`${name.padEnd(26)} ${cpu.toFixed(2).padStart(6)} µs CPU   ${Math.round(perSecond / 1000)}k records/s`);
  }
  const ratio = (one: string, other: string): string =>
    ((found.get(one)?.cpu ?? 0) / (found.get(other)?.cpu ?? 0)).toFixed(2);
  console.log(`\nSluice : by hand, Avro   ×${ratio('Sluice, Avro, cached', 'by hand, Avro')}`);
  console.log(`Sluice : by hand, JSON   ×${ratio('Sluice, JSON, cached', 'by hand, JSON')}`);
  console.log(`JSON : Avro              ×${ratio('Sluice, JSON, cached', 'Sluice, Avro, cached')}`);
  console.log(`as shipped : cached      ×${ratio('Sluice, Avro, as shipped', 'Sluice, Avro, cached')}`);
  console.log(`not cached : cached      ×${ratio('Sluice, Avro, not cached', 'Sluice, Avro, cached')}`);
  console.log('\nµs a record within each stage (wall time, not CPU: waiting counts)');
  for (const [name, { stages }] of found) {
    const shown = Object.entries(stages).map(([stage, us]) => `${stage} ${us.toFixed(2)}`);
    if (shown.length > 0) console.log(`${name.padEnd(26)} ${shown.join('  ')}`);
  }
}
