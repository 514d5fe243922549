/**
 * One consumer group of the classic protocol: the members, their generation, their committed offsets.
 *
 *   Empty ──join──▶ PreparingRebalance ──all joined, or deadline──▶ CompletingRebalance ──leader syncs──▶ Stable
 *     ▲                     ▲ └──nobody left──▶ Empty                       │                               │
 *     └─────────────────────┴───join, leave, session expiry, sync deadline──┴───────────────────────────────┘
 *
 * Group instance ids are stored and shown, but a static member is treated like any other.
 */
import { ERROR } from './protocol.ts';

export type Timer = { cancel(): void };
export type After = (delayMs: number, fire: () => void) => Timer;
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';
export type Committed = { readonly offset: number; readonly leaderEpoch: number; readonly metadata: string };
type Protocol = { readonly name: string; readonly metadata: Buffer };
type OnJoined = (errorCode: number, memberId: string) => void;
type OnSynced = (errorCode: number, assignment: Buffer) => void;
type Profile = {
  readonly clientId: string;
  readonly instanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
};
export type Member = {
  readonly id: string;
  profile: Profile;
  assignment: Buffer;
  session: Timer | null;
  onJoined: OnJoined | null;
  onSynced: OnSynced | null;
};
const NOTHING = Buffer.alloc(0);

export class Group {
  state: GroupState = 'Empty';
  generation = 0;
  protocol = '';
  leaderId = '';
  readonly members = new Map<string, Member>();
  /** By topic and partition. */
  readonly offsets = new Map<string, Map<number, Committed>>();
  /** Ids handed out whose owners have still to join with them; a rebalance waits for them. */
  readonly #promised = new Map<string, Timer>();
  #deadline: Timer | null = null;
  readonly #after: After;

  constructor(after: After) {
    this.#after = after;
  }

  get protocolType(): string {
    return this.#anyMember()?.profile.protocolType ?? '';
  }

  /** `freshId` is for a client without one; it is sent home to come back with it where `mustKnowId`. */
  join(memberId: string, freshId: string, mustKnowId: boolean, profile: Profile, onJoined: OnJoined): void {
    const member = this.members.get(memberId);
    if (!this.#fits(memberId, profile)) return onJoined(ERROR.inconsistentGroupProtocol, memberId);
    if (member) {
      const same = sameProtocols(member.profile.protocols, profile.protocols);
      const rejoins = this.state === 'PreparingRebalance' || (this.state === 'Stable' && memberId === this.leaderId);
      if (same && !rejoins) return onJoined(ERROR.none, memberId); // it missed the answer: the generation stands
      member.profile = profile;
      member.onJoined = onJoined;
      return this.#prepare();
    }
    if (memberId === '' && mustKnowId) {
      const forget = (): void => this.#forget(freshId);
      this.#promised.set(freshId, this.#after(profile.sessionTimeoutMs, forget));
      return onJoined(ERROR.memberIdRequired, freshId);
    }
    if (memberId !== '' && !this.#promised.has(memberId)) return onJoined(ERROR.unknownMemberId, memberId);
    const id = memberId || freshId;
    this.#promised.get(id)?.cancel();
    this.#promised.delete(id);
    this.members.set(id, { id, profile, assignment: NOTHING, session: null, onJoined, onSynced: null });
    this.#prepare();
  }

  sync(memberId: string, generation: number, plan: ReadonlyMap<string, Buffer>, onSynced: OnSynced): void {
    const member = this.members.get(memberId);
    const errorCode = this.#check(memberId, generation);
    if (!member || errorCode !== ERROR.none) return onSynced(errorCode, NOTHING);
    if (this.state === 'PreparingRebalance') return onSynced(ERROR.rebalanceInProgress, NOTHING);
    member.onSynced = onSynced;
    if (this.state === 'CompletingRebalance' && memberId === this.leaderId) {
      for (const each of this.members.values()) each.assignment = plan.get(each.id) ?? NOTHING;
      this.#enter('Stable');
    }
    if (this.state === 'Stable') this.#answerSyncs(ERROR.none);
  }

  heartbeat(memberId: string, generation: number): number {
    const errorCode = this.#check(memberId, generation);
    if (errorCode !== ERROR.none) return errorCode;
    this.#alive(memberId);
    return this.state === 'PreparingRebalance' ? ERROR.rebalanceInProgress : ERROR.none;
  }

  leave(memberId: string): number {
    if (this.#promised.has(memberId)) {
      this.#forget(memberId);
      return ERROR.none;
    }
    if (!this.members.has(memberId)) return ERROR.unknownMemberId;
    this.#remove(memberId);
    this.#membersChanged();
    return ERROR.none;
  }

  /** Whether this sender may commit: a member of this generation, or anyone while the group has no members. */
  checkCommit(memberId: string, generation: number): number {
    if (generation < 0 && this.state === 'Empty') return ERROR.none;
    const errorCode = this.#check(memberId, generation);
    if (errorCode !== ERROR.none) return errorCode;
    if (this.state === 'CompletingRebalance') return ERROR.rebalanceInProgress;
    this.#alive(memberId);
    return ERROR.none;
  }

  commit(topic: string, partition: number, committed: Committed): void {
    let partitions = this.offsets.get(topic);
    if (!partitions) this.offsets.set(topic, (partitions = new Map()));
    partitions.set(partition, committed);
  }

  /** Sends everyone who waits for an answer away, as a coordinator that moves does. */
  sendAway(errorCode: number): void {
    for (const member of this.members.values()) this.#answerJoin(member, errorCode);
    this.#answerSyncs(errorCode);
  }

  close(): void {
    this.#deadline?.cancel();
    for (const timer of this.#promised.values()) timer.cancel();
    for (const member of this.members.values()) member.session?.cancel();
  }

  #anyMember(): Member | undefined {
    return this.members.values().next().value;
  }
  #check(memberId: string, generation: number): number {
    if (!this.members.has(memberId)) return ERROR.unknownMemberId;
    return generation === this.generation ? ERROR.none : ERROR.illegalGeneration;
  }
  #fits(memberId: string, { protocolType, protocols }: Profile): boolean {
    if (protocolType === '' || protocols.length === 0) return false;
    const others = [...this.members.values()].filter((member) => member.id !== memberId);
    if (others.some((other) => other.profile.protocolType !== protocolType)) return false;
    return protocols.some(({ name }) => others.every((other) => supports(other, name)));
  }
  #enter(state: GroupState, deadline: Timer | null = null): void {
    this.state = state;
    this.#deadline?.cancel();
    this.#deadline = deadline;
  }
  #rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map((member) => member.profile.rebalanceTimeoutMs));
  }
  #prepare(): void {
    this.#answerSyncs(ERROR.rebalanceInProgress);
    if (this.state !== 'PreparingRebalance') {
      const giveUp = (): void => this.#complete();
      this.#enter('PreparingRebalance', this.#after(this.#rebalanceTimeoutMs(), giveUp));
    }
    this.#completeIfAllJoined();
  }
  #completeIfAllJoined(): void {
    if (this.#promised.size > 0) return;
    for (const member of this.members.values()) if (!member.onJoined) return;
    this.#complete();
  }
  #complete(): void {
    for (const member of this.members.values()) if (!member.onJoined) this.#remove(member.id);
    this.generation++;
    const first = this.#anyMember();
    if (!first) return this.#enter('Empty');
    if (!this.members.has(this.leaderId)) this.leaderId = first.id;
    this.protocol = this.#elect();
    const giveUp = (): void => this.#dropUnsynced();
    this.#enter('CompletingRebalance', this.#after(this.#rebalanceTimeoutMs(), giveUp));
    for (const member of this.members.values()) this.#answerJoin(member, ERROR.none);
  }
  /** Each member votes for the first of its protocols that all support. */
  #elect(): string {
    const members = [...this.members.values()];
    const votes = new Map<string, number>();
    for (const { profile } of members) {
      const vote = profile.protocols.find(({ name }) => members.every((member) => supports(member, name)));
      if (vote) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    return [...votes].reduce((best, next) => (next[1] > best[1] ? next : best), ['', 0])[0];
  }
  #dropUnsynced(): void {
    for (const member of this.members.values()) if (!member.onSynced) this.#remove(member.id);
    this.#prepare();
  }
  #answerJoin(member: Member, errorCode: number): void {
    if (!member.onJoined) return;
    member.onJoined(errorCode, member.id);
    member.onJoined = null;
    this.#alive(member.id);
  }
  #answerSyncs(errorCode: number): void {
    for (const member of this.members.values()) {
      if (!member.onSynced) continue;
      member.onSynced(errorCode, errorCode === ERROR.none ? member.assignment : NOTHING);
      member.onSynced = null;
      this.#alive(member.id);
    }
  }
  #alive(memberId: string): void {
    const member = this.members.get(memberId);
    if (!member) return;
    member.session?.cancel();
    member.session = this.#after(member.profile.sessionTimeoutMs, () => {
      if (!member.onJoined && !member.onSynced) this.leave(memberId); // who waits for us cannot send heartbeats
    });
  }
  #forget(promisedId: string): void {
    this.#promised.get(promisedId)?.cancel();
    this.#promised.delete(promisedId);
    if (this.state === 'PreparingRebalance') this.#completeIfAllJoined();
  }
  #remove(memberId: string): void {
    const member = this.members.get(memberId);
    this.members.delete(memberId);
    member?.session?.cancel();
    member?.onJoined?.(ERROR.unknownMemberId, memberId);
    member?.onSynced?.(ERROR.unknownMemberId, NOTHING);
  }
  #membersChanged(): void {
    if (this.state === 'PreparingRebalance') this.#completeIfAllJoined();
    else this.#prepare();
  }
}

const supports = (member: Member, name: string): boolean => member.profile.protocols.some((p) => p.name === name);

function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return a.length === b.length && a.every((p, i) => p.name === b[i].name && p.metadata.equals(b[i].metadata));
}
