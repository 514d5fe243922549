import { type Clock, pause } from '../../../kernel/clock.ts';
import { type Deadline, deadlineIn, within } from '../../../kernel/deadline.ts';
import { classify, SluiceError } from '../../../kernel/errors.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { isFenced } from '../client/errors.ts';
import type { ConsumerGroup, FetchedBatch } from '../client/internals.ts';
import type { EndOffsets } from './end-offsets.ts';
import type { Gate } from './gate.ts';
import type { Handover } from './handover.ts';
import { type Heartbeats, withCoordinator } from './heartbeats.ts';
import type { Lanes } from './lanes.ts';
import type { Lease } from './lease.ts';
import type { Positions } from './positions.ts';
import type { Recovery } from './recovery.ts';

/**
 * What happens around the client's membership in the group (law L6).
 *
 * | state     | event                                    | then                                                             |
 * |-----------|------------------------------------------|------------------------------------------------------------------|
 * | outside   | client joins                             | joined: lanes begin, start positions are found, gate opens       |
 * | joined    | client re-joins                          | draining: gate shut, heartbeats go on, listener settles, commits |
 * | draining  | all settled, deadline passed, or fenced  | joining: the client's own join                                   |
 * | joining   | GROUP_JOIN                               | joined: lanes kept, ended and begun, gate opens                  |
 * | joining   | join failed                              | joining: the gate stays shut until a join succeeds               |
 * | joined    | client leaves (crash, close)             | outside: drained unless closing, lanes end                       |
 */
export interface Membership {
  join(group: ConsumerGroup, join: () => Promise<void>): Promise<void>;
  /** Must run synchronously within the client's GROUP_JOIN event: a fetch from another broker may come next. */
  joined(): void;
  /** From now on there is no drain when the client leaves. */
  closing(): void;
  readonly group: ConsumerGroup | undefined;
}

export interface MembershipDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lanes: Lanes;
  readonly gate: Gate;
  readonly heartbeats: Heartbeats;
  readonly ends: EndOffsets;
  readonly positions: Positions;
  readonly handover: Handover;
  readonly lease: Lease;
  readonly recovery: Recovery;
  /** Notes that this process no longer works on its partitions. Never rejects. */
  readonly release: () => Promise<void>;
  readonly onRevoking: (deadline: Deadline) => Promise<boolean>;
  readonly onFailed: (thrown: unknown) => void;
  readonly onJoined: () => void;
  /** The brokers answered: a join or a fetch succeeded. */
  readonly onAnswered: () => void;
  /** The client has shown a sign of life. */
  readonly onActivity: () => void;
}

export interface MembershipOptions {
  readonly groupId: string;
  /** A drain before a re-join lasts at most this long. */
  readonly drainMs: number;
  readonly maxWaitMs: number;
}

const REJOINING = 're-joining';
/** Extra time for the notes after a drain has reached its deadline. */
const RELEASE_MS = 500;

export function createMembership(deps: MembershipDeps, options: MembershipOptions): Membership {
  const { clock, telemetry, lanes, gate, heartbeats, positions, handover, lease, recovery } = deps;
  const rebalances = telemetry.counter('sluice_rebalances_total');
  const pauses = telemetry.counter('sluice_pauses_total', { reason: 'rebalance' });
  let group: ConsumerGroup | undefined;
  let joining: Promise<void> | undefined;
  let isClosing = false;
  /** A join failed halfway: the client would go on fetching as a member without an assignment. */
  let broken = false;

  /** Resolves to true if everything handed over is settled and committed. Never rejects, and never exceeds its deadline. */
  async function drain(member: ConsumerGroup): Promise<boolean> {
    const { drainMs } = options;
    const startedAtMs = clock.monotonicMs();
    telemetry.event('group-rejoining', { group: options.groupId, drainMs });
    pauses.add(1);
    const deadline = deadlineIn(clock, drainMs);
    let settled = false;
    let fenced = false;
    try {
      const ended = new Promise<void>((resolve, reject) => {
        const work = deps.onRevoking(deadline).then((all) => {
          settled = all;
        });
        // Once fenced, nothing can be committed: waiting longer would only delay the other members.
        const beating = heartbeats.during(member, work, (error) => {
          if (!isFenced(error)) return;
          fenced = true;
          resolve();
        });
        beating.then(resolve, reject);
      });
      await within(clock, deadline, ended);
    } catch (thrown) {
      // A commit that the broker could not accept now merely leaves the drain incomplete.
      if (classify(thrown).disposition !== 'retry') deps.onFailed(thrown);
    }
    // Before the join, whose answer the coordinator's connection waits for; and never behind it: the lanes are others by then,
    // at which this process is at work. What is unsettled at the deadline is handed on, too, by somebody who is alive.
    if (!fenced) await within(clock, deadlineIn(clock, RELEASE_MS), deps.release());
    telemetry.event('group-drained', {
      group: options.groupId,
      settled,
      tookMs: Math.round(clock.monotonicMs() - startedAtMs),
    });
    return settled;
  }

  /** Before partitions are given up: drains if this is still a member, returns at once if not. */
  async function giveUp(member: ConsumerGroup): Promise<void> {
    gate.close(REJOINING);
    if (lanes.size === 0) return;
    if (lanes.belongTo(member)) {
      await drain(member);
      return;
    }
    telemetry.event('group-fenced', { group: options.groupId, partitions: lanes.size });
    lanes.endAll();
  }

  async function joinOnce(member: ConsumerGroup, join: () => Promise<void>): Promise<void> {
    if (group !== member) adopt(member);
    if (lanes.size > 0) rebalances.add(1);
    await giveUp(member);
    deps.onActivity();
    broken = true;
    if (isClosing) throw closed();
    await recovery.join(join, () => isClosing || gate.reasons.includes('failed'));
    broken = false;
    if (isClosing) await leaveAgain(member);
    deps.onAnswered();
    deps.onActivity();
    // A coordinator of offsets or transactions that is away takes longer to be found than a session: the next fetch would find
    // us fenced. What heartbeats hear of the group, it hears again.
    await heartbeats.during(member, positions.ensure(member), () => undefined).catch(failed);
    // Last of all: what is closed from here on, the client knows to be running, and stops.
    if (isClosing) await leaveAgain(member);
    gate.reopen(REJOINING);
    gate.reopen('not joined');
    deps.onJoined();
  }

  /**
   * The client cannot stop a join under way: closed meanwhile, it would stay in the group, its partitions with it, read nothing, and
   * keep its process alive → it leaves at once, and the rejection ends what the client would begin.
   */
  async function leaveAgain(member: ConsumerGroup): Promise<never> {
    await member.leave();
    throw closed();
  }

  const closed = (): SluiceError =>
    new SluiceError(
      'broker-unavailable',
      `group ${options.groupId} was left again: the source was closed while it joined`,
    );

  /** A failure by policy is final; one of the network is met again by the next fetch, which has the client's recovery around it. */
  function failed(thrown: unknown): boolean {
    const isFinal = thrown instanceof SluiceError && thrown.disposition !== 'retry';
    if (isFinal) deps.onFailed(thrown);
    return isFinal;
  }

  const moved = (node: number): void => telemetry.event('coordinator-moved', { group: options.groupId, node });

  async function fetchBatches(
    member: ConsumerGroup,
    nodeId: string,
    fetch: typeof member.fetch,
  ): Promise<FetchedBatch[]> {
    // While nothing may be handed over, fetches would bring the same records again and again.
    if (!gate.open) {
      await pause(clock, options.maxWaitMs);
      deps.onActivity();
      deps.ends.look(member);
      if (broken && joining === undefined && !isClosing) await member.joinAndSync();
      return [];
    }
    if (lease.isOver) {
      await member.heartbeat({ interval: 0 });
      if (lease.isOver) {
        await pause(clock, options.maxWaitMs);
        deps.onActivity();
        return [];
      }
    }
    try {
      await withCoordinator(member, () => positions.ensure(member), moved);
    } catch (thrown) {
      if (!failed(thrown)) await member.recoverFromFetch(thrown);
      return [];
    }
    // A fetch that failed and was recovered from, or that had nothing to request, ends without a batch.
    const fetched = await fetch.call(member, nodeId);
    if (fetched.length > 0) deps.onAnswered();
    deps.onActivity();
    return handover.admit(fetched);
  }

  /** Replaces the methods of one group object that the client calls. A crashed client makes a new one. */
  function adopt(member: ConsumerGroup): void {
    lanes.endAll();
    group = member;
    const { fetch, heartbeat, leave, recoverFromFetch } = member;
    member.fetch = (nodeId) => fetchBatches(member, nodeId, fetch);
    const beat = async (interval: { readonly interval: number }): Promise<void> => {
      const sentAtMs = clock.monotonicMs();
      const before = member.lastRequest;
      await heartbeat.call(member, interval);
      // The client skips heartbeats that come too early.
      if (member.lastRequest !== before) lease.renew(sentAtMs);
    };
    member.heartbeat = (interval) => recovery.heartbeat(member, () => beat(interval));
    member.recoverFromFetch = async (thrown) => {
      if (!(await recovery.fromFetch(member, thrown))) await recoverFromFetch.call(member, thrown);
    };
    member.recoverFromOffsetOutOfRange = async ({ topic, partition }) => {
      const lane = lanes.of(topic, partition);
      if (lane === undefined) return;
      try {
        await positions.reset(member, lane);
      } catch (thrown) {
        if (!failed(thrown)) await member.recoverFromFetch(thrown);
      }
    };
    // The client leaves without asking when it crashes → what is in flight would be redelivered → drain first.
    member.leave = async () => {
      if (isClosing) {
        gate.close('closed');
        if (lanes.belongTo(member)) await deps.release();
      } else await giveUp(member);
      lanes.endAll();
      await leave.call(member);
    };
  }

  return {
    get group() {
      return group;
    },

    join(member, join) {
      // Fetches from several brokers may each request a join at the same time; one join serves them all.
      joining ??= joinOnce(member, join).finally(() => {
        joining = undefined;
      });
      return joining;
    },

    joined() {
      if (group === undefined) return;
      try {
        lease.renew(clock.monotonicMs());
        const kept = lanes.assign(group);
        telemetry.event('group-joined', {
          group: options.groupId,
          member: group.memberId,
          generation: group.generationId,
          partitions: lanes.size,
          kept,
        });
      } catch (thrown) {
        // An exception thrown inside the client's event would stop its recovery for good.
        deps.onFailed(thrown);
      }
    },

    closing() {
      isClosing = true;
    },
  };
}
