/**
 * What goes wrong, and when: a schedule from a seed, and the hooks that play it into the embedded services. Pure except for the
 * hooks' counters: the same seed gives the same schedule; which requests it strikes depends on the machine.
 */
import type { ReadFault } from '../../../src/devstack/bigtable.ts';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import type { RegistryFault } from '../../../src/devstack/registry.ts';
import { seeded } from '../../fixtures/random.ts';
import { AUDITOR } from '../read.ts';
import { PARTITIONS, TOPICS } from './pipeline.ts';

export const UPSTREAM = 'upstream';
/** Until then things break; then everything is well. */
export const HEAL_AT_MS = 2_500;

const API = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  commit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  join: 11,
  heartbeat: 12,
  sync: 14,
  initProducer: 22,
  addPartitions: 24,
  addOffsets: 25,
  endTransaction: 26,
  commitInTransaction: 28,
};

/**
 * Per request while it lasts, with a probability; by the calls it strikes. One that struck nothing while it lasted strikes the
 * next such call, so that what a seed does depends little on how fast the machine is.
 */
const STORMS: Readonly<Record<string, { readonly calls: readonly number[]; readonly faults: readonly Fault[] }>> = {
  'produce-refused': {
    calls: [API.produce],
    faults: [6, 7, 19, 20, 5].map((errorCode) => ({ errorCode })),
  },
  'produce-unanswered': {
    calls: [API.produce],
    faults: [{ dropResponse: true }, { dropResponse: true, closeConnection: true }],
  },
  'produce-slow': { calls: [API.produce], faults: [{ delayMs: 60 }, { delayMs: 300 }, { delayMs: 900 }] },
  'fetch-refused': { calls: [API.fetch], faults: [6, 9, 5].map((errorCode) => ({ errorCode })) },
  'fetch-slow': { calls: [API.fetch], faults: [{ delayMs: 200 }, { dropResponse: true }] },
  'commit-refused': { calls: [API.commit], faults: [14, 15, 16, 22, 25, 27].map((errorCode) => ({ errorCode })) },
  'commit-unanswered': {
    calls: [API.commit],
    faults: [{ dropResponse: true }, { dropResponse: true, closeConnection: true }],
  },
  'group-fenced': { calls: [API.heartbeat], faults: [22, 25].map((errorCode) => ({ errorCode })) },
  'group-disturbed': {
    calls: [API.heartbeat, API.join, API.sync, API.findCoordinator, API.offsetFetch],
    faults: [{ errorCode: 15 }, { errorCode: 16 }, { errorCode: 27 }, { delayMs: 150 }, { closeConnection: true }],
  },
  'connections-closed': {
    calls: [API.produce, API.fetch, API.metadata, API.commit, API.heartbeat, API.listOffsets],
    faults: [{ closeConnection: true }],
  },
  'everything-slow': { calls: Object.values(API), faults: [{ delayMs: 20 }, { delayMs: 120 }] },
  'store-stalled': { calls: [], faults: [] },
  'store-failing': { calls: [], faults: [] },
  'registry-failing': { calls: [], faults: [] },
};
const TRANSACTION = [API.initProducer, API.addPartitions, API.addOffsets, API.commitInTransaction, API.endTransaction];
/** Where members deliver exactly once. 47: another epoch has begun; 51: the coordinator is at the transaction before. */
const ONCE_STORMS: typeof STORMS = {
  'transaction-refused': { calls: TRANSACTION, faults: [14, 15, 16, 51].map((errorCode) => ({ errorCode })) },
  'transaction-fenced': { calls: TRANSACTION.slice(1), faults: [{ errorCode: 47 }] },
  'transaction-unanswered': {
    calls: TRANSACTION,
    faults: [{ dropResponse: true }, { dropResponse: true, closeConnection: true }, { closeConnection: true }],
  },
  'commit-in-doubt': {
    calls: [API.endTransaction],
    faults: [{ dropResponse: true, closeConnection: true }, { closeConnection: true }, { delayMs: 700 }],
  },
};
const ALL_STORMS = { ...STORMS, ...ONCE_STORMS };
const STORE_CODES = [4, 8, 10, 14];
/** Strikes heartbeats only: where the machine is busy and the group re-forms all the time, the first one may come after healing. */
const SELDOM = 'group-fenced';
const LATE_MS = 5_000;

export type Act =
  | {
      readonly kind: 'storm';
      readonly what: string;
      readonly atMs: number;
      readonly forMs: number;
      readonly share: number;
    }
  | {
      readonly kind: 'move-leader';
      readonly atMs: number;
      readonly topic: string;
      readonly partition: number;
      readonly node: number;
    }
  | { readonly kind: 'move-coordinator'; readonly atMs: number; readonly node: number; readonly of: string }
  | { readonly kind: 'truncate'; readonly atMs: number; readonly partition: number; readonly share: number }
  | { readonly kind: 'stop' | 'join' | 'die'; readonly atMs: number }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly forMs: number };

export interface Schedule {
  readonly seed: number;
  /** Members deliver exactly once, and nothing may come out twice. */
  readonly once: boolean;
  readonly members: number;
  readonly records: number;
  readonly acts: readonly Act[];
}

/** Nothing in these can make a record come out twice: every failure wrote nothing, nobody leaves. */
const HARMLESS = new Set([
  'produce-refused',
  'fetch-refused',
  'store-stalled',
  'store-failing',
  'registry-failing',
  'move-leader',
]);

/** Several members join one after the other: a drain that a stalled store holds up past its deadline repeats what it held. */
export function mayRepeat({ acts, members }: Schedule): boolean {
  return members > 1 || acts.some((act) => !HARMLESS.has(act.kind === 'storm' ? act.what : act.kind));
}

export function schedule(seed: number, { once = false } = {}): Schedule {
  const random = seeded(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[upTo(from.length)];
  const atMs = (): number => 100 + upTo(HEAL_AT_MS - 600);
  const acts: Act[] = [];
  const calm = random() < 0.15;
  const storms = Object.keys(STORMS).filter((what) => !calm || HARMLESS.has(what));
  for (let n = 1 + upTo(4); n > 0; n--) {
    acts.push({ kind: 'storm', what: pick(storms), atMs: atMs(), forMs: 100 + upTo(900), share: pick([0.1, 0.4, 1]) });
  }
  // Transactions are few and short: what is to strike one has to last.
  for (let n = once ? 2 : 0; n > 0; n--) {
    const what = pick(Object.keys(ONCE_STORMS));
    acts.push({ kind: 'storm', what, atMs: upTo(HEAL_AT_MS / 2), forMs: HEAL_AT_MS / 2, share: pick([0.4, 0.8]) });
  }
  for (let n = upTo(4); n > 0; n--) {
    const topic = pick(['input', 'output', 'deadLetter'] as const);
    acts.push({
      kind: 'move-leader',
      atMs: atMs(),
      topic: TOPICS[topic],
      partition: upTo(PARTITIONS[topic]),
      node: 1 + upTo(3),
    });
  }
  if (!calm) {
    const moved = (of: string): Act => ({ kind: 'move-coordinator', atMs: atMs(), node: 1 + upTo(3), of });
    for (let n = upTo(3); n > 0; n--) acts.push(moved(TOPICS.group));
    if (once) for (let n = upTo(4); n > 0; n--) acts.push(moved(transactionalId(upTo(PARTITIONS.input))));
    if (random() < 0.15)
      acts.push({ kind: 'truncate', atMs: atMs(), partition: upTo(PARTITIONS.input), share: random() });
    for (let n = upTo(4); n > 0; n--) acts.push({ kind: pick(['stop', 'join', 'join', 'die'] as const), atMs: atMs() });
    if (random() < 0.3) acts.push({ kind: 'freeze', atMs: atMs(), forMs: 1_600 + upTo(1_400) });
  }
  return {
    seed,
    once,
    members: calm ? 1 : 1 + upTo(3),
    records: 200 + upTo(400),
    acts: acts.sort((a, b) => a.atMs - b.atMs),
  };
}

const transactionalId = (partition: number): string => `${TOPICS.group}-${TOPICS.input}-${partition}`;

/** Answers of the hooks, from the start of the clock on. */
export class Nemesis {
  readonly injected: Record<string, number> = {};
  readonly dead = new Set<string>();
  readonly frozenUntilMs = new Map<string, number>();
  private readonly storms: readonly Extract<Act, { kind: 'storm' }>[];
  private readonly random: () => number;
  private readonly nowMs: () => number;

  constructor({ seed, acts }: Schedule, nowMs: () => number) {
    this.storms = acts.filter((act) => act.kind === 'storm');
    this.random = seeded(seed ^ 0x5eed);
    this.nowMs = nowMs;
  }

  count(what: string): void {
    this.injected[what] = (this.injected[what] ?? 0) + 1;
  }

  /** Until then nothing goes wrong. */
  isLoose = false;

  private readonly spent = new Set<Act>();

  private struck(matches: (what: string) => boolean): string | undefined {
    const nowMs = this.nowMs();
    if (!this.isLoose || nowMs >= HEAL_AT_MS + LATE_MS) return undefined;
    for (const storm of this.storms) {
      const { what, atMs, forMs, share } = storm;
      if (nowMs < atMs || !matches(what)) continue;
      if (nowMs >= HEAL_AT_MS && what !== SELDOM) continue;
      const isOver = nowMs > atMs + forMs;
      if (isOver ? this.spent.has(storm) : this.random() >= share) continue;
      this.spent.add(storm);
      this.count(what);
      return what;
    }
    return undefined;
  }

  private pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)];
  }

  readonly onKafka = ({ apiKey, clientId }: RequestInfo): Fault | undefined => {
    if (clientId === AUDITOR || clientId === UPSTREAM) return undefined;
    if (this.dead.has(clientId)) return { closeConnection: true };
    const thawMs = (this.frozenUntilMs.get(clientId) ?? 0) - this.nowMs();
    if (thawMs > 0) return { delayMs: thawMs };
    const what = this.struck((name) => ALL_STORMS[name].calls.includes(apiKey));
    return what === undefined ? undefined : this.pick(ALL_STORMS[what].faults);
  };

  readonly onRead = (): ReadFault | undefined => {
    const what = this.struck((name) => name.startsWith('store-'));
    if (what === undefined) return undefined;
    const afterRows = this.pick([0, 1]);
    return what === 'store-stalled' ? { stall: true, afterRows } : { code: this.pick(STORE_CODES), afterRows };
  };

  readonly onRegistry = (): RegistryFault | undefined => {
    const what = this.struck((name) => name === 'registry-failing');
    return what === undefined
      ? undefined
      : this.pick([{ status: 500 }, { status: 503 }, { delayMs: 300 }, { status: 429 }]);
  };
}
