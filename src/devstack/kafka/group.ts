/**
 * One consumer group of the classic protocol: the members, their generation, their committed offsets.
 *
 *   Empty ──join──▶ PreparingRebalance ──all joined, or deadline──▶ CompletingRebalance ──leader syncs──▶ Stable
 *     ▲                     ▲ └──nobody left──▶ Empty                       │                               │
 *     └─────────────────────┴───join, leave, session expiry, sync deadline──┴───────────────────────────────┘
 *
 * Methods return an error code; 0 from `join` and `sync` means that the callback is called, now or later.
 * There are no static members: group instance ids are ignored.
 */
import { Offsets } from './offsets.ts';
import { ERROR } from './protocol.ts';
import type { After, Timer } from './server.ts';

type OnJoined = (errorCode: number, group?: Group) => void;
type OnSynced = (errorCode: number, assignment?: Buffer) => void;
/** What a client sends when it joins; protocols (assignors) in order of preference. */
type Profile = {
  readonly id: string;
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: ReadonlyMap<string, Buffer>;
};
type Member = {
  profile: Profile;
  assignment: Buffer;
  session?: Timer;
  /** Waiting for the answer to its join or its sync. */
  onJoined?: OnJoined;
  onSynced?: OnSynced;
};
const NOTHING = Buffer.alloc(0);

export class Group {
  state: 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' = 'Empty';
  generation = 0;
  protocolType = '';
  protocol = '';
  leaderId = '';
  readonly members = new Map<string, Member>();
  readonly offsets = new Offsets();
  /** Ids handed out to clients that have yet to join with them; a rebalance waits for them. */
  readonly #promised = new Map<string, Timer>();
  #deadline: Timer | undefined;
  readonly #after: After;

  constructor(after: After) {
    this.#after = after;
  }

  /** A new client is given a new id, and must join again with it. */
  join(isNew: boolean, profile: Profile, onJoined: OnJoined): number {
    const { id } = profile;
    const member = this.members.get(id);
    if (!this.#fits(profile)) return ERROR.inconsistentGroupProtocol;
    this.protocolType = profile.protocolType;
    if (member) {
      const rejoins = this.state === 'PreparingRebalance' || (this.state === 'Stable' && id === this.leaderId);
      member.onJoined = onJoined;
      if (!rejoins && fingerprint(member.profile) === fingerprint(profile)) {
        this.#answerJoin(member, ERROR.none); // it missed the answer: the generation stands
        return ERROR.none;
      }
      member.profile = profile;
    } else if (isNew) {
      const expiry = this.#after(profile.sessionTimeoutMs, () => this.leave(id));
      this.#promised.set(id, expiry);
      return ERROR.memberIdRequired;
    } else {
      const expiry = this.#promised.get(id);
      if (!expiry) return ERROR.unknownMemberId;
      expiry.cancel();
      this.#promised.delete(id);
      this.members.set(id, { profile, assignment: NOTHING, onJoined });
    }
    this.#rebalance();
    return ERROR.none;
  }

  sync(memberId: string, generation: number, plan: ReadonlyMap<string, Buffer>, onSynced: OnSynced): number {
    const member = this.members.get(memberId);
    const errorCode = this.#hear(memberId, generation);
    if (!member || errorCode !== ERROR.none) return errorCode;
    if (this.state === 'PreparingRebalance') return ERROR.rebalanceInProgress;
    member.onSynced = onSynced;
    if (this.state === 'CompletingRebalance' && memberId === this.leaderId) {
      for (const [id, each] of this.members) each.assignment = plan.get(id) ?? NOTHING;
      this.#enter('Stable');
    }
    if (this.state === 'Stable') this.#answerSyncs(ERROR.none);
    return ERROR.none;
  }

  heartbeat(memberId: string, generation: number): number {
    const rebalances = this.state === 'PreparingRebalance';
    return this.#hear(memberId, generation) || (rebalances ? ERROR.rebalanceInProgress : ERROR.none);
  }

  leave(memberId: string): number {
    const promised = this.#promised.get(memberId);
    if (!promised && !this.members.has(memberId)) return ERROR.unknownMemberId;
    promised?.cancel();
    this.#promised.delete(memberId);
    this.#remove(memberId);
    if (!promised || this.state === 'PreparingRebalance') this.#rebalance();
    return ERROR.none;
  }

  /** Whether the sender may commit: a member of this generation, or anyone if the group has no members. */
  checkCommit(memberId: string, generation: number): number {
    if (generation < 0 && this.state === 'Empty') return ERROR.none;
    const tooEarly = this.state === 'CompletingRebalance';
    return this.#hear(memberId, generation) || (tooEarly ? ERROR.rebalanceInProgress : ERROR.none);
  }

  /** Sends this answer to all waiting members, as a coordinator that moves does. */
  sendAway(errorCode: number): void {
    for (const member of this.members.values()) this.#answerJoin(member, errorCode);
    this.#answerSyncs(errorCode);
  }

  close(): void {
    this.#deadline?.cancel();
    for (const timer of this.#promised.values()) timer.cancel();
    for (const member of this.members.values()) member.session?.cancel();
  }

  /** Checks the sender, and counts the request as a sign of life. */
  #hear(memberId: string, generation: number): number {
    const member = this.members.get(memberId);
    if (!member) return ERROR.unknownMemberId;
    if (generation !== this.generation) return ERROR.illegalGeneration;
    this.#alive(member);
    return ERROR.none;
  }
  #fits({ id, protocolType, protocols }: Profile): boolean {
    const others = [...this.members.values()].map((member) => member.profile).filter((other) => other.id !== id);
    const shared = [...protocols.keys()].some((name) => others.every((other) => other.protocols.has(name)));
    return protocolType !== '' && shared && others.every((other) => other.protocolType === protocolType);
  }
  #enter(state: Group['state'], atDeadline?: () => void): void {
    const timeoutsMs = [...this.members.values()].map((member) => member.profile.rebalanceTimeoutMs);
    this.state = state;
    this.#deadline?.cancel();
    this.#deadline = atDeadline && this.#after(Math.max(0, ...timeoutsMs), atDeadline);
  }
  /** Makes all members join again, or continues to wait for them. */
  #rebalance(): void {
    this.#answerSyncs(ERROR.rebalanceInProgress);
    if (this.state !== 'PreparingRebalance') this.#enter('PreparingRebalance', () => this.#complete());
    const absent = [...this.members.values()].some((member) => !member.onJoined);
    if (!absent && this.#promised.size === 0) this.#complete();
  }
  #complete(): void {
    for (const [id, member] of this.members) if (!member.onJoined) this.#remove(id);
    this.generation++;
    const members = [...this.members.values()];
    if (members.length === 0) {
      this.#enter('Empty');
      return;
    }
    const leader = this.members.get(this.leaderId) ?? members[0];
    const common = (name: string): boolean => members.every((member) => member.profile.protocols.has(name));
    this.leaderId = leader.profile.id;
    this.protocol = [...leader.profile.protocols.keys()].find(common) ?? '';
    this.#enter('CompletingRebalance', () => this.#dropUnsynced());
    for (const member of members) this.#answerJoin(member, ERROR.none);
  }
  #dropUnsynced(): void {
    for (const [id, member] of this.members) if (!member.onSynced) this.#remove(id);
    this.#rebalance();
  }
  #answerJoin(member: Member, errorCode: number): void {
    member.onJoined?.(errorCode, errorCode === ERROR.none ? this : undefined);
    member.onJoined = undefined;
    this.#alive(member);
  }
  #answerSyncs(errorCode: number): void {
    for (const member of this.members.values()) {
      if (!member.onSynced) continue;
      member.onSynced(errorCode, errorCode === ERROR.none ? member.assignment : undefined);
      member.onSynced = undefined;
      this.#alive(member);
    }
  }
  #alive(member: Member): void {
    member.session?.cancel();
    member.session = this.#after(member.profile.sessionTimeoutMs, () => {
      if (!member.onJoined && !member.onSynced) this.leave(member.profile.id); // Members that wait for us cannot send heartbeats.
    });
  }
  #remove(memberId: string): void {
    const member = this.members.get(memberId);
    this.members.delete(memberId);
    member?.session?.cancel();
    member?.onJoined?.(ERROR.unknownMemberId);
    member?.onSynced?.(ERROR.unknownMemberId);
  }
}

/** The protocols a client supports, as one string. */
const fingerprint = ({ protocols }: Profile): string => JSON.stringify([...protocols]);
