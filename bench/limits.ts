/**
 * How close Sluice comes to the limit: `node bench/limits.ts --help`.
 *
 * The limit is the sum of the parts that no program can leave out, each measured alone in the same run and on the same core: the
 * same topic copied by Sluice's own source and sink (records in, acknowledged records out), the decode stage on frames in
 * memory, the model at its best batch size. η is their sum divided by the cost of `sluice run`; the rest is gathering, filling rows,
 * encoding, order and offsets. The copied values are larger than predictions where the input is large, which flatters η.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CONTESTANTS } from './harness/contestants.ts';
import { named, positive, readOptions } from './harness/options.ts';
import { pinHarness, pinned } from './harness/process.ts';
import { bestDrain, digits } from './harness/report.ts';
import { openStage } from './harness/stage.ts';
import { runWorkload } from './harness/workload-run.ts';
import type { Parts } from './limits/parts.ts';
import { WORKLOADS } from './workloads/workloads.ts';

const USAGE = `node bench/limits.ts [--workload W] [--rounds N] [--records N]

Measures the parts that nobody can leave out, each alone: the topic copied, the decode stage, the model at its best batch size.
Their sum over what sluice run takes is η. Starts Kafka as the integration tests do; some minutes.

  --workload W   ${[...WORKLOADS.keys()].join(', ')} (light)
  --rounds N     rounds; the best one counts (3)
  --records N    the backlog; each workload has its own`;
const { options } = readOptions(USAGE, {
  workload: { type: 'string', default: 'light' },
  rounds: { type: 'string', default: '3' },
  records: { type: 'string' },
});
const workload = named('workload', options.workload, WORKLOADS);
const rounds = positive('rounds', options.rounds);
const records = options.records === undefined ? undefined : positive('records', options.records);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

pinHarness();
const words = [process.execPath, 'bench/limits/parts.ts', workload.name];
const [file, ...args] = pinned ? ['taskset', '-c', '0', ...words] : words;
const parts = JSON.parse((await promisify(execFile)(file, args)).stdout) as Parts;
say(`model alone: ${parts.model.map(({ batch, us }) => `${batch}: ${digits(us)}`).join(', ')} µs a row`);

const stage = await openStage();
try {
  const result = await runWorkload(
    stage,
    workload,
    CONTESTANTS.filter(({ name }) => name === 'sluice' || name === 'sluice-bare'),
    {
      modes: ['drain'],
      rounds,
      records,
      rate: undefined,
      seconds: 0,
      quick: false,
    },
    say,
  );
  const costOf = (name: string): number =>
    bestDrain(result.rows.find(({ contestant }) => contestant.name === name))?.cpuUsPerRecord ?? Number.NaN;
  const best = parts.model.reduce((least, each) => (each.us < least.us ? each : least));
  const [achieved, copied] = [costOf('sluice'), costOf('sluice-bare')];
  const limit = copied + parts.decodeUs + best.us;
  const lines = [
    ['source → sink, the same bytes', copied],
    ['decode alone', parts.decodeUs],
    [`model alone, ${best.batch} rows a run`, best.us],
    ['the limit', limit],
    ['sluice run', achieved],
    ['the rest', achieved - limit],
  ] as const;
  process.stdout.write(`| ${workload.name}: CPU, µs a record | | share |\n|---|---|---|\n`);
  for (const [what, us] of lines) {
    process.stdout.write(`| ${what} | ${digits(us)} | ${Math.round((100 * us) / achieved)} % |\n`);
  }
  process.stdout.write(`\nη = ${(limit / achieved).toFixed(2)}; the model alone: ${(best.us / achieved).toFixed(2)}\n`);
} finally {
  await stage.close();
}
