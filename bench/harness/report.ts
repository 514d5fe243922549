/** The results of a run as tables; ratios carry over to other machines, the rest does not. */
import type { Workload } from '../workloads/workloads.ts';
import type { Contestant } from './contestants.ts';
import type { Drained } from './drain.ts';
import type { Paced } from './paced.ts';

export interface Row {
  readonly contestant: Contestant;
  /** One per round; the table shows the round with the least CPU, because other work on the machine can only add. */
  readonly drained: readonly Drained[];
  readonly paced: readonly Paced[];
}

export interface Result {
  readonly workload: Workload;
  readonly rows: readonly Row[];
}

export function bestDrain(row: Row | undefined): Drained | undefined {
  return row?.drained.reduce((best, each) => (each.cpuUsPerRecord < best.cpuUsPerRecord ? each : best), row.drained[0]);
}

/** For each rate the round with the lowest p99, in the order in which the rates were first run. */
export function bestPaced(row: Row): Paced[] {
  const best = new Map<number, Paced>();
  for (const each of row.paced) {
    const before = best.get(each.perSecond);
    if (before === undefined || each.p99Ms < before.p99Ms) best.set(each.perSecond, each);
  }
  return [...best.values()];
}

const MIB = 1024 * 1024;
const dash = '–';

export function tables({ workload, rows }: Result): string {
  const found = [`${workload.name}: ${workload.what}`, ''];
  if (rows.some(({ drained }) => drained.length > 0)) found.push(...drainTable(rows), '');
  if (rows.some(({ paced }) => paced.length > 0)) found.push(...pacedTable(rows), '');
  return found.join('\n');
}

function drainTable(rows: readonly Row[]): string[] {
  const sluice = bestDrain(rows.find(({ contestant }) => contestant.name === 'sluice'));
  const lines = [
    '| drain | CPU, µs a record | CPU × Sluice | records/s | rate × Sluice | peak RSS, MiB | CPU, least – most of the rounds |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const row of rows) {
    const best = bestDrain(row);
    if (best === undefined) continue;
    const fastest = Math.max(...row.drained.map(({ recordsPerSecond }) => recordsPerSecond));
    const cpus = row.drained.map(({ cpuUsPerRecord }) => cpuUsPerRecord);
    const own = sluice === undefined ? undefined : best.cpuUsPerRecord / sluice.cpuUsPerRecord;
    const sluiceRate = Math.max(
      ...(rows.find(({ contestant }) => contestant.name === 'sluice')?.drained ?? []).map(
        (each) => each.recordsPerSecond,
      ),
    );
    lines.push(
      `| ${row.contestant.name} | ${digits(best.cpuUsPerRecord)} | ${own === undefined ? dash : digits(own)} | ` +
        `${Math.round(fastest / 100) / 10} k | ${own === undefined ? dash : digits(fastest / sluiceRate)} | ` +
        `${Math.round(best.peakRssBytes / MIB)} | ${digits(Math.min(...cpus))} – ${digits(Math.max(...cpus))} |`,
    );
  }
  return lines;
}

function pacedTable(rows: readonly Row[]): string[] {
  const lines = [
    '| paced | records/s | p50, ms | p99, ms | p99.9, ms | misses | of them sent late | CPU, µs a record | peak RSS, MiB | loop delay p99, ms | generator late at worst, ms |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
  ];
  for (const row of rows) {
    for (const best of bestPaced(row)) {
      const { p50Ms, p99Ms, p999Ms, misses, sentLate, cpuUsPerRecord, loopDelay, perSecond } = best;
      lines.push(
        `| ${row.contestant.name} | ${perSecond} | ${p50Ms} | ${p99Ms} | ${p999Ms} | ${(misses * 100).toFixed(2)} % | ${(sentLate * 100).toFixed(2)} % | ` +
          `${digits(cpuUsPerRecord)} | ${Math.round(best.peakRssBytes / MIB)} | ${loopDelay === undefined ? dash : `≤ ${loopDelay.p99Ms}`} | ` +
          `${Math.round(best.generatorLateMs)} |`,
      );
    }
  }
  return lines;
}

/** Two or three significant digits. */
export function digits(value: number): string {
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 1
        ? value.toFixed(2)
        : value.toPrecision(2);
}

/** Only the figures that a later run can be compared with. */
export function asJson(results: readonly Result[], machine: string, command: string): string {
  const rows = results.flatMap(({ workload, rows: each }) =>
    each.map(({ contestant, drained, paced }) => ({
      workload: workload.name,
      contestant: contestant.name,
      drained,
      paced,
    })),
  );
  return `${JSON.stringify({ machine, command, rows }, null, 2)}\n`;
}
