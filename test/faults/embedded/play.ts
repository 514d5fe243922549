/**
 * One seed: a group of members in this process, a steady flow of events, a schedule of faults; then everything heals, the
 * lag must drain, members must end in order, and the ledger must be exact.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../fixtures/until.ts';
import type { Account, Violation } from '../judge.ts';
import { audit, observe, untilDrained } from '../ledger.ts';
import { type Act, HEAL_AT_MS, mayRepeat, Nemesis, type Schedule } from './faults.ts';
import type { Member } from './member.ts';
import { TOPICS } from './pipeline.ts';
import { openStage, type Stage } from './stage.ts';

/** A coordinator that swallowed a request is waited for ten seconds, as long as brokers may take, even after healing. */
const ONCE = { flow: '  delivery: exactly-once', drain: '15s' };
/** From healing until the lag is gone. */
const DRAINED_WITHIN_MS = 60_000;
const BATCH = 25;
/** Of few records, so that there are many transactions. */
const ONCE_BATCH = 8;

export interface Played {
  readonly schedule: Schedule;
  readonly account: Account | undefined;
  readonly violations: readonly Violation[];
  readonly injected: Readonly<Record<string, number>>;
  readonly recoveryMs: number;
  /** Members that ended as failed or could not start, with what they said: each was started anew. */
  readonly failures: readonly string[];
  /** The last events of every member; only of a run with violations. */
  readonly said: readonly string[];
}

export async function play(schedule: Schedule): Promise<Played> {
  let startedMs = performance.now();
  const nowMs = (): number => performance.now() - startedMs;
  const nemesis = new Nemesis(schedule, nowMs);
  const stage = await openStage(schedule.seed, nemesis);
  const failures: string[] = [];
  const batch = schedule.once ? ONCE_BATCH : BATCH;
  const isolation = schedule.once ? 'committed' : 'uncommitted';
  const live = new Set<Member>();
  const gone: Promise<unknown>[] = [];
  const accused: Violation[] = [];
  let starting = 0;
  let over = false;

  /** As a supervisor: what fails is started anew, until the run is over. */
  async function supervise(): Promise<void> {
    starting++;
    try {
      for (;;) {
        let member: Member;
        try {
          member = await stage.join(schedule.once ? ONCE : undefined);
        } catch (error) {
          failures.push(`did not start: ${(error as Error).message}`);
          if (over) return;
          await pause(100);
          continue;
        }
        live.add(member);
        starting--;
        const { result, error } = await member.outcome;
        starting++;
        live.delete(member);
        if (result !== 'failed') return;
        failures.push(`${error?.code}: ${error?.message}`);
        if (over) return;
      }
    } finally {
      starting--;
    }
  }

  const perform = async (act: Act): Promise<void> => {
    const [member] = live;
    if (act.kind !== 'storm') nemesis.count(act.kind);
    if (act.kind === 'move-leader') stage.broker.moveLeader(act.topic, act.partition, act.node);
    else if (act.kind === 'move-coordinator') stage.broker.moveCoordinator(act.of, act.node);
    else if (act.kind === 'join') gone.push(supervise());
    else if (act.kind === 'stop' && member) {
      // It may take its time: another member takes over.
      live.delete(member);
      member.runner.stop();
    } else if (act.kind === 'freeze' && member) nemesis.frozenUntilMs.set(member.clientId, nowMs() + act.forMs);
    else if (act.kind === 'die' && member) {
      // Cut off for good: to everybody else it is dead.
      nemesis.dead.add(member.clientId);
      live.delete(member);
      member.runner.stop();
    } else if (act.kind === 'truncate') {
      const end = stage.broker.endOffsets(TOPICS.input)[act.partition];
      const from = stage.broker.groupOffsets(TOPICS.group)[TOPICS.input]?.[act.partition] ?? 0;
      await stage.truncate(act.partition, from + Math.floor(act.share * (end - from)));
    }
  };

  const ends = async (): Promise<void> => {
    for (const member of live) {
      member.runner.stop();
      const { result, unsettledRecords } = await member.outcome;
      if (result !== 'done')
        accuse('I8', `a member ended as ${result} after healing`, `${member.clientId}: ${unsettledRecords} open`);
    }
  };
  const accuse = (invariant: Violation['invariant'], what: string, example: string): void => {
    accused.push({ invariant, what, count: 1, examples: [example] });
  };

  let account: Account | undefined;
  let recoveryMs = Number.NaN;
  try {
    await stage.feed.send(batch);
    for (let n = 0; n < schedule.members; n++) gone.push(supervise());
    await until('a member runs', () => live.size > 0, 30_000);
    startedMs = performance.now();
    nemesis.isLoose = true;
    const observer = observe(stage.watched, { everyMs: 40, dropped: stage.feed.dropped, isolation });
    await Promise.all([feed(stage, schedule.records, batch, nowMs), act(schedule.acts, nowMs, perform)]);
    await pause(Math.max(0, HEAL_AT_MS - nowMs()));
    if (live.size + starting === 0) gone.push(supervise());
    try {
      recoveryMs = await untilDrained(stage.watched, DRAINED_WITHIN_MS);
    } catch (error) {
      accuse('I8', 'no progress after healing', (error as Error).message);
    }
    over = true;
    await ends();
    await Promise.race([Promise.all(gone), pause(10_000, undefined, { ref: false })]);
    const observed = await observer.stop();
    account = await audit(stage.watched, {
      observed,
      acknowledged: stage.feed.acknowledged,
      dropped: stage.feed.dropped,
      expected: stage.feed.expected,
      flaw: stage.feed.flaw,
      alike: stage.feed.alike,
      mayQuarantine: !schedule.once,
      isolation,
      // Where nothing can have cut off a member, each repeated record was counted as possibly so.
      maxDuplicates: schedule.once ? 0 : mayRepeat(schedule) ? undefined : counted(stage.members),
    });
  } finally {
    over = true;
    for (const member of live) member.runner.stop();
    await stage.close();
  }
  const violations = [...accused, ...account.violations];
  return {
    schedule,
    account,
    violations,
    injected: nemesis.injected,
    recoveryMs,
    failures,
    said: violations.length === 0 ? [] : stage.members.flatMap(lastWords),
  };
}

/** All of the records, spread over the time until healing. */
async function feed({ feed: from }: Stage, records: number, batch: number, nowMs: () => number): Promise<void> {
  const batches = Math.ceil(records / batch);
  for (let n = 0; n < batches; n++) {
    await pause(Math.max(0, ((n + 1) * HEAL_AT_MS) / (batches + 1) - nowMs()));
    await from.send(batch);
  }
}

async function act(acts: readonly Act[], nowMs: () => number, perform: (act: Act) => Promise<void>): Promise<void> {
  for (const each of acts) {
    await pause(Math.max(0, each.atMs - nowMs()));
    await perform(each);
  }
}

const counted = (members: readonly Member[]): number =>
  members.reduce((sum, { telemetry }) => sum + telemetry.count('sluice_duplicates_possible_total'), 0);

const WORDS = 60;

function lastWords({ clientId, telemetry }: Member): string[] {
  return telemetry.events
    .filter(({ name }) => name !== 'kafka-client' && name !== 'dead-lettered')
    .slice(-WORDS)
    .map(({ name, fields }) => `${clientId} ${name} ${JSON.stringify(fields)}`);
}
