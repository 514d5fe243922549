import { micros, milliseconds, whole } from './advice.ts';
import type { TuneReport } from './judge.ts';

const LABEL = 11;
const SIZES_SHOWN = 8;

/** The report for people: one line per finding; assumptions are marked as such. */
export function textOf(report: TuneReport): string {
  const lines = [
    ...model(report),
    ...record(report),
    ...highest(report),
    ...costs(report),
    ...cache(report),
    ...devices(report),
    ...advice(report),
  ];
  return `${lines.join('\n')}\n`;
}

const line = (label: string, text: string): string => `${label.padEnd(LABEL)}${text}`;
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} %`;

/** Below this share of a core, wall-clock times mostly measure other processes. */
const ALONE = 0.8;

function model({ model, device, line: fit, runs, samples, topology, cores, coreShare }: TuneReport): string[] {
  const step = Math.ceil(runs.length / SIZES_SHOWN);
  const shown = runs.filter((_, i) => (runs.length - 1 - i) % step === 0);
  const width = (text: string): string => text.padStart(9);
  const about = `${micros(fit.fixedMs)} + ${(fit.perRowMs * 1000).toPrecision(3)} µs a row`;
  return [
    line('topology', `${topology}, ${model} on ${device}; ${cores} ${cores === 1 ? 'core' : 'cores'} here`),
    line('samples', `${samples.records} records, ${samples.from}${letters(samples.deadLetters)}`),
    ...(coreShare < ALONE
      ? [
          line(
            'caution',
            `this process had ${percent(coreShare)} of a core while it measured: runs seem slower than they are`,
          ),
        ]
      : []),
    line('run', `about ${about}`),
    line('', `rows ${shown.map(({ rows }) => width(whole(rows))).join('')}`),
    line('', `time ${shown.map(({ ms }) => width(milliseconds(ms))).join('')}`),
  ];
}

const letters = (count: number): string => (count === 0 ? '' : `; ${count} of them are dead letters`);

function record({ record: { us, parts, assumed } }: TuneReport): string[] {
  const named = Object.entries(parts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, part]) => `${name} ${part.toFixed(2)}${assumed.includes(name) ? ' (assumed)' : ''}`);
  return [line('record', `${us.toFixed(2)} µs of CPU beside the model: ${named.join(', ')}`)];
}

function highest({ highest: at, budgetMs, limits, elsewhereMs, hitRatio }: TuneReport): string[] {
  if (at.perSecond === 0) return [line('highest', `no rate keeps ${budgetMs} ms`)];
  const { p50Ms = 0, p99Ms = 0, missed = 0, meanBatch = 0 } = at;
  const shares = Object.entries(limits.shares)
    .sort(([, a], [, b]) => b - a)
    .map(([name, share]) => `${name} ${percent(share)}`);
  const hits = hitRatio === undefined ? '' : `, ${percent(hitRatio)} of cached look-ups hit`;
  return [
    line('highest', `${whole(at.perSecond)} records/s keep ${budgetMs} ms on one instance`),
    line(
      '',
      `p50 ${milliseconds(p50Ms)}, p99 ${milliseconds(p99Ms)}, misses ${percent(missed)}, batches of ${Math.round(meanBatch)}`,
    ),
    line('', `assumed: ${milliseconds(elsewhereMs)} for fetch, acknowledgement and store${hits}`),
    line('limit', `${limits.by}; the time goes to ${shares.join(', ')}`),
  ];
}

function costs({ cost, highest: at }: TuneReport): string[] {
  if (at.perSecond === 0) return [];
  const { cores, perCoreHour, perGpuHour, perMillion } = cost;
  const gpu = perGpuHour === undefined ? '' : `, ${millions(perGpuHour)} a GPU-hour`;
  const price = perMillion === undefined ? '' : `; ${perMillion.toPrecision(3)} a million`;
  return [
    line(
      'cost',
      `${millions(perCoreHour)} predictions a core-hour (${cores === 1 ? 'a core' : `${cores} cores`} an instance)${gpu}${price}`,
    ),
  ];
}

const millions = (count: number): string =>
  `${count < 1e9 ? (count / 1e6).toPrecision(3) : whole(count / 1e6)} million`;

function cache({ cache: sizes }: TuneReport): string[] {
  return sizes.map(({ table, entries, hits, optimum, readsPerSecond, configured }, i) =>
    line(
      i === 0 ? 'cache' : '',
      `${table}: ${whole(entries)} entries${configured ? ' (configured)' : ''} hit ${percent(hits)} (at best ${percent(optimum)}), ${whole(readsPerSecond)} reads/s of the store`,
    ),
  );
}

function devices({ devices: tried }: TuneReport): string[] {
  return tried.map(({ device, measured, why }, i) =>
    line(i === 0 ? 'devices' : '', `${device}: ${measured ? 'measured' : short(why)}`),
  );
}

/** An error of a device, without paths and without instructions meant for its caller. */
function short(why: string): string {
  const [, library] = /(\S+) is not in \S+;/.exec(why) ?? [];
  return library === undefined ? why : `${library} is not installed`;
}

function advice({ advice: found, highest: at }: TuneReport): string[] {
  if (found.length === 0) return [line('change', 'nothing that was measured would gain 5 % or more')];
  return found.map(({ to, perSecond, gain, because }, i) => {
    const times = Number.isFinite(gain) && at.perSecond > 0 ? ` (×${gain.toFixed(gain < 10 ? 2 : 0)})` : '';
    return line(i === 0 ? 'change' : '', `${to} → ${whole(perSecond)} records/s${times}: ${because}`);
  });
}
