import { INLINE_MS } from '../world/placement.ts';
import { type Highest, highestRate, type Instance, type RunTime, runMs, saturation } from './capacity.ts';

/** What could be changed and what it would gain, each with the number behind it. */
export interface Advice {
  readonly change: 'budget' | 'batch' | 'threads' | 'device' | 'placement' | 'cache' | 'in-flight' | 'instances';
  readonly to: string;
  /** Records per second at which one instance (for `instances`: all of them together) would then keep the budget. */
  readonly perSecond: number;
  /** `perSecond` relative to that of the topology as it is. */
  readonly gain: number;
  readonly because: string;
}

export interface Situation {
  readonly instance: Instance;
  readonly highest: Highest;
  readonly seed: number;
  /** Of the machine. */
  readonly cores: number;
  readonly coresPerInstance: number;
  readonly maxInFlight: number;
  /** The requested rate; undefined if none was given. */
  readonly wantedPerSecond: number | undefined;
  /** Run times with more threads per run. */
  readonly threads: readonly { readonly threads: number; readonly runs: readonly RunTime[] }[];
  /** Run times on other devices. */
  readonly devices: readonly { readonly device: string; readonly runs: readonly RunTime[] }[];
  /** Share of look-ups answered by caches. */
  readonly hits: number;
  /** With an equally good cache on the tables without one; undefined if all have one. */
  readonly cacheAll: { readonly recordMs: number; readonly tables: readonly string[] } | undefined;
  /** With the present caches answering every look-up; undefined if there are none. */
  readonly cacheMore: { readonly recordMs: number } | undefined;
}

/** A smaller gain is within measurement error. */
const WORTH = 1.05;
/** As in src/commands/world/placement.ts. */
const MOST_SESSIONS = 8;

/** Suggestions, largest gain first; those without a gain are left out. Pure. */
export function adviseOn(situation: Situation): readonly Advice[] {
  const { highest } = situation;
  if (highest.perSecond === 0) return [enoughBudget(situation), ...elsewhere(situation)];
  return [...elsewhere(situation), ...batch(situation), ...cache(situation), ...flow(situation), ...budget(situation)]
    .sort((a, b) => b.gain - a.gain)
    .concat(instances(situation));
}

function what(
  { instance, highest, seed }: Situation,
  change: Advice['change'],
  to: string,
  altered: Partial<Instance>,
  because: (perSecond: number) => string,
): readonly Advice[] {
  const { perSecond } = highestRate({ ...instance, ...altered }, seed);
  const gain = ratio(perSecond, highest.perSecond);
  return gain >= WORTH ? [{ change, to, perSecond, gain, because: because(perSecond) }] : [];
}

/** If no rate keeps the budget: the smallest round budget that some rate keeps. */
function enoughBudget({ instance, seed }: Situation): Advice {
  const alone = runMs(instance.runs, 1) + instance.recordMs + instance.elsewhereMs;
  let budgetMs = Math.max(instance.budgetMs, 1);
  let found: Highest = { perSecond: 0, at: undefined };
  for (let tries = 0; tries < 30 && found.perSecond === 0; tries++) {
    budgetMs = Math.ceil(budgetMs * 1.25);
    found = highestRate({ ...instance, budgetMs }, seed);
  }
  const { perSecond } = found;
  const because = `a lone record takes ${milliseconds(alone)}, ${milliseconds(instance.elsewhereMs)} of them outside of this machine`;
  return { change: 'budget', to: `latencyBudget: ${budgetMs}ms`, perSecond, gain: Number.POSITIVE_INFINITY, because };
}

function budget(situation: Situation): readonly Advice[] {
  const doubled = situation.instance.budgetMs * 2;
  return what(situation, 'budget', `latencyBudget: ${doubled}ms`, { budgetMs: doubled }, (perSecond) => {
    const rate = whole(perSecond);
    return `batches may then wait and run for twice as long: ${rate} records/s at 0.1 % misses`;
  });
}

function batch(situation: Situation): readonly Advice[] {
  const { instance } = situation;
  const largest = instance.runs[instance.runs.length - 1].rows;
  const most = Math.min(instance.maxBatch * 4, largest);
  const found: Advice[] = [];
  for (let maxBatch = instance.maxBatch * 2; maxBatch <= most; maxBatch *= 2) {
    found.push(
      ...what(situation, 'batch', `maxBatch: ${maxBatch}`, { maxBatch }, () => {
        const each = (rows: number): string => micros(runMs(instance.runs, rows) / rows);
        return `a row takes ${each(maxBatch)} in a run of ${maxBatch}, ${each(instance.maxBatch)} in one of ${instance.maxBatch}`;
      }),
    );
  }
  return found.sort((a, b) => b.gain - a.gain).slice(0, 1);
}

function elsewhere(situation: Situation): readonly Advice[] {
  const { instance, threads, devices, coresPerInstance } = situation;
  const at = Math.min(instance.maxBatch, Math.max(1, Math.round(situation.highest.at?.meanBatch ?? 1)));
  const faster = (runs: readonly RunTime[]): string =>
    `a run of ${at} takes ${milliseconds(runMs(runs, at))}, not ${milliseconds(runMs(instance.runs, at))}`;
  return [
    ...threads.flatMap(({ threads: count, runs }) =>
      what(situation, 'threads', `${count} threads a run`, { runs }, (perSecond) => {
        const perCore = perSecond / (count + coresPerInstance - 1);
        const now = situation.highest.perSecond / coresPerInstance;
        const but =
          perCore < now ? `; a core then does ${Math.round((perCore / now) * 100)} % of what it does alone` : '';
        return faster(runs) + but;
      }),
    ),
    ...devices.flatMap(({ device, runs }) =>
      what(situation, 'device', `model.device: ${device}`, { runs }, () => faster(runs)),
    ),
    ...placement(situation),
  ];
}

/** The model beside the pipeline's thread, with as many sessions as there are cores. */
function placement(situation: Situation): readonly Advice[] {
  const { instance, highest, cores, devices } = situation;
  const busy = percent(highest.at?.modelBusy ?? 0);
  if (instance.beside === 0) {
    return what(situation, 'placement', 'model.placement: thread, a session', { beside: 1 }, () => {
      return `on the thread of the pipeline the model has ${busy} of its time; the way to its own thread is not in this, and it takes a second core`;
    });
  }
  const sessions = Math.min(MOST_SESSIONS, cores - 1);
  const inline = cheaperInline(situation);
  if (sessions <= instance.beside || devices.length > 0) return inline;
  const more = what(situation, 'placement', `model.sessions: ${sessions}`, { beside: sessions }, () => {
    return `${instance.beside} of them ${instance.beside === 1 ? 'is' : 'are'} busy for ${busy} of the time, and there are ${cores} cores`;
  });
  return [...inline, ...more];
}

/**
 * A quick model beside the pipeline leaves its core mostly idle, so another instance would use that core better. A slow model stays
 * there in any case: on the pipeline's thread it would delay heartbeats and fetches.
 */
function cheaperInline({ instance, highest, seed, coresPerInstance }: Situation): readonly Advice[] {
  if (runMs(instance.runs, instance.maxBatch) > INLINE_MS) return [];
  const { perSecond } = highestRate({ ...instance, beside: 0 }, seed);
  const perCore = (perSecond * coresPerInstance) / highest.perSecond;
  if (!(perCore >= WORTH)) return [];
  const because = `on the thread of the pipeline a core does ${perCore.toFixed(2)} times as much; ${coresPerInstance} cores are for one instance as it is`;
  const gain = ratio(perSecond, highest.perSecond);
  return [{ change: 'placement', to: 'model.placement: inline', perSecond, gain, because }];
}

function cache(situation: Situation): readonly Advice[] {
  const { cacheAll, cacheMore, hits, instance } = situation;
  const saved = (recordMs: number): string =>
    `${micros(instance.recordMs - recordMs)} of ${micros(instance.recordMs)} a record`;
  const found: Advice[] = [];
  if (cacheAll !== undefined) {
    const { recordMs, tables } = cacheAll;
    found.push(
      ...what(situation, 'cache', `a cache for ${tables.join(', ')}`, { recordMs }, () => {
        return `reading ${tables.join(', ')} for every record takes ${saved(recordMs)}; ${percent(hits)} hits are assumed`;
      }),
    );
  }
  if (cacheMore !== undefined && hits < 1) {
    const { recordMs } = cacheMore;
    found.push(
      ...what(situation, 'cache', 'larger caches, at most', { recordMs }, () => {
        return `what they do not answer takes ${saved(recordMs)}, at ${percent(hits)} hits`;
      }),
    );
  }
  return found;
}

function flow({ highest, maxInFlight, instance }: Situation): readonly Advice[] {
  const { at, perSecond } = highest;
  // Little's law: the number of records under way at that rate.
  const underWay = (perSecond / 1000) * (at?.p99Ms ?? 0);
  if (underWay <= maxInFlight) return [];
  const to = `maxInFlight: { records: ${Math.ceil(underWay / 1000) * 1000} }`;
  const because = `${whole(underWay)} records are under way at that rate within ${instance.budgetMs} ms, and ${whole(maxInFlight)} may be`;
  return [{ change: 'in-flight', to, perSecond, gain: underWay / maxInFlight, because }];
}

function instances(situation: Situation): readonly Advice[] {
  const { highest, cores, coresPerInstance, wantedPerSecond } = situation;
  const fit = Math.floor(cores / coresPerInstance);
  const wanted = wantedPerSecond === undefined ? fit : Math.ceil(wantedPerSecond / highest.perSecond);
  if (wanted <= 1) return [];
  const perSecond = highest.perSecond * wanted;
  const machines = Math.ceil(wanted / Math.max(1, fit));
  const room = `${fit} fit the ${cores} cores of this machine`;
  const because =
    wantedPerSecond === undefined || machines === 1
      ? `${room}, and share nothing but the broker and the store; those are not in this figure`
      : `${room}, so it takes ${machines} of them; broker and store are not in this figure`;
  const to = machines === 1 ? `run --instances ${wanted}` : `${wanted} instances`;
  return [{ change: 'instances', to, perSecond, gain: wanted, because }];
}

/** How the busiest thread spends its time, as shares of the total; `idle` is the part that the budget leaves unused. */
export interface Limits {
  readonly by: string;
  readonly shares: Readonly<Record<string, number>>;
}

const IDLE_ENOUGH = 0.2;

/** `parts`: µs per record on the pipeline's thread, apart from the model. */
export function limitsOf(instance: Instance, highest: Highest, parts: Readonly<Record<string, number>>): Limits {
  if (highest.at === undefined) return { by: 'latency budget', shares: {} };
  const perUs = highest.perSecond / 1e6;
  const { modelBusy } = highest.at;
  const shares: Record<string, number> = { model: modelBusy };
  for (const [name, us] of Object.entries(parts)) shares[name] = us * perUs;
  const thread = Object.values(parts).reduce((sum, us) => sum + us, 0) * perUs;
  const idle = Math.max(0, 1 - (instance.beside > 0 ? Math.max(thread, modelBusy) : thread + modelBusy));
  const [most] = Object.entries(shares).sort(([, a], [, b]) => b - a)[0];
  const isFull = highest.perSecond / 1000 > saturation(instance).perMs * (1 - IDLE_ENOUGH);
  return { by: isFull || idle < IDLE_ENOUGH ? most : 'latency budget', shares: { ...shares, idle } };
}

function ratio(to: number, from: number): number {
  return from === 0 ? (to === 0 ? 0 : Number.POSITIVE_INFINITY) : to / from;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
export const milliseconds = (ms: number): string => (ms < 1 ? micros(ms) : `${ms.toPrecision(3)} ms`);
export const micros = (ms: number): string => `${(ms * 1000).toPrecision(3)} µs`;
