import { type Clock, pause } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { classify } from '../../kernel/errors.ts';
import type { ChangeListener, Changelogs } from '../../ports/changelog.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { TopicLog } from '../../ports/topic-log.ts';

/**
 * Follows topics whose record keys are the keys of changed rows: each from its end at the time of opening, in every process.
 * There is no group, because every instance has a cache of its own and needs all changes.
 *
 * Promise: within about a second, a listener hears of every key written after `openChangelogs` resolved; if records have expired
 * unread, or are in an unreadable batch, it hears that changes were missed. A topic that cannot be read is reported (event, gauge)
 * and retried for as long as it takes; its keys then come late, and until they do, rows live as long as their ttl. Records that
 * name no row are counted, with the reason.
 * Limits: the ends are polled every `everyMs`, at the cost of a request or two; a record without a key names nothing; a topic
 * that is deleted and created again within `everyMs`, with as many records, is mistaken for the old one.
 */
export interface ChangelogDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Each topic has a log of its own, and a new one after each failure: a client that has lost its broker may not recover. */
  readonly log: () => TopicLog;
}

export interface ChangelogOptions {
  readonly topics: readonly string[];
  readonly everyMs?: number;
  readonly againAfterMs?: number;
}

const CLOSE_WITHIN_MS = 1_000;
const REMOVED = 'removed before they were read, or the topic is another one';
/** So many keys are told at once. */
const MOST_KEYS = 1_024;
/** A topic counts as up if it was read to its end at most this long ago. */
const UP_WITHIN_MS = 10_000;

/** Resolves when the end of each topic is known; rejects if one does not exist or cannot be determined. */
export async function openChangelogs(deps: ChangelogDeps, options: ChangelogOptions): Promise<Changelogs> {
  const closing = new AbortController();
  const followers = new Map([...new Set(options.topics)].map((topic) => [topic, new Follower(deps, options, topic)]));
  const all = [...followers.values()];
  const close = async (): Promise<void> => {
    closing.abort();
    await Promise.all(all.map((follower) => follower.letGo()));
  };
  try {
    await Promise.all(all.map((follower) => follower.begin()));
  } catch (thrown) {
    await close();
    throw thrown;
  }
  for (const follower of all) void follower.follow(closing.signal);
  return {
    subscribe(topic, listener) {
      followers.get(topic)?.listeners.push(listener);
    },
    close,
  };
}

class Follower {
  readonly listeners: ChangeListener[] = [];
  private readonly deps: ChangelogDeps;
  private readonly topic: string;
  private readonly everyMs: number;
  private readonly againAfterMs: number;
  private log: TopicLog;
  /** By partition: the offset of the next record. */
  private positions: number[] = [];
  private readAtMs: number;
  private failed = false;
  /** The topic was gone: a topic with its name may be a different one. */
  private gone = false;

  constructor(deps: ChangelogDeps, { everyMs = 250, againAfterMs = 1_000 }: ChangelogOptions, topic: string) {
    this.deps = deps;
    this.topic = topic;
    this.everyMs = everyMs;
    this.againAfterMs = againAfterMs;
    this.log = deps.log();
    this.readAtMs = deps.clock.monotonicMs();
  }

  async begin(): Promise<void> {
    this.positions = (await this.log.extents(this.topic)).map(({ end }) => end);
    const { clock, telemetry } = this.deps;
    this.readAtMs = clock.monotonicMs();
    telemetry.gauge('sluice_changelog_up', { topic: this.topic }, () =>
      !this.failed && clock.monotonicMs() - this.readAtMs <= UP_WITHIN_MS ? 1 : 0,
    );
  }

  async follow(closing: AbortSignal): Promise<void> {
    const { clock, telemetry } = this.deps;
    const { topic } = this;
    while (!closing.aborted) {
      await pause(clock, this.failed ? this.againAfterMs : this.everyMs, closing);
      if (closing.aborted) return;
      try {
        await this.readOn();
        this.readAtMs = clock.monotonicMs();
        if (this.failed) telemetry.event('changelog-over', { topic });
        this.failed = false;
      } catch (thrown) {
        if (closing.aborted) return;
        const { code, message } = classify(thrown);
        this.gone ||= code === 'topic-missing';
        telemetry.event('changelog-unread', { topic, reason: message });
        this.failed = true;
        await this.letGo();
        this.log = this.deps.log();
      }
    }
  }

  /** Ends its connections, or the search for brokers, which may take longer than anybody waits. */
  async letGo(): Promise<void> {
    const { clock, telemetry } = this.deps;
    const closed = this.log.close().catch((thrown) => {
      telemetry.event('kafka-client', { severity: 'info', component: 'changelog', message: String(thrown) });
    });
    await within(clock, deadlineIn(clock, CLOSE_WITHIN_MS), closed);
  }

  private async readOn(): Promise<void> {
    const extents = await this.log.extents(this.topic);
    const { positions } = this;
    let missed = this.gone;
    this.gone = false;
    for (let partition = 0; partition < extents.length; partition++) {
      const { start, end } = extents[partition];
      // An added partition is read from its beginning: all of it was written after we opened.
      positions[partition] ??= 0;
      if (start <= positions[partition] && positions[partition] <= end) continue;
      // Removed unread, or fewer records than there were: another topic of the same name, or a leader that had lost some.
      missed = true;
      positions[partition] = start > positions[partition] ? start : end;
    }
    if (missed) this.miss(REMOVED);
    for (let partition = 0; partition < extents.length; partition++) {
      const range = { from: positions[partition], to: extents[partition].end };
      if (range.from < range.to) positions[partition] = await this.readPartition(partition, range);
    }
  }

  private miss(reason: string): void {
    this.deps.telemetry.event('changelog-missed', { topic: this.topic, reason });
    for (const { missed } of this.listeners) missed();
  }

  private namesNothing(reason: string): void {
    this.deps.telemetry.counter('sluice_changelog_nameless_total', { topic: this.topic, reason }).add(1);
  }

  /** Hearing of a key twice does no harm, so what was read before a failure is reported too. */
  private async readPartition(
    partition: number,
    range: { readonly from: number; readonly to: number },
  ): Promise<number> {
    let keys: Buffer[] = [];
    let unreadable = 0;
    let expected = range.from;
    /** The first offset that was skipped: compacted, aborted, or removed since their extent was asked for. */
    let gapAt = Number.POSITIVE_INFINITY;
    const tell = (): void => {
      if (keys.length === 0) return;
      for (const { changed } of this.listeners) changed(keys);
      keys = [];
    };
    try {
      const end = await this.log.read(this.topic, partition, range, ({ offset, key, unread }) => {
        if (offset > expected) gapAt = Math.min(gapAt, expected);
        expected = offset + 1;
        if (unread !== undefined) {
          // Its key is there, and may be any.
          unreadable++;
          this.namesNothing(unread);
        } else if (key === null) this.namesNothing('no-key');
        else keys.push(key);
        if (keys.length === MOST_KEYS) tell();
        return true;
      });
      if (end > expected) gapAt = Math.min(gapAt, expected);
      if (gapAt < end && (await this.log.extents(this.topic))[partition]?.start > gapAt) this.miss(REMOVED);
      return end;
    } finally {
      tell();
      if (unreadable > 0) this.miss(`${unreadable} records of partition ${partition} cannot be read`);
    }
  }
}
