import { SluiceError } from '../../../kernel/errors.ts';
import { decodeMarker, stepOf, suspicionAt } from '../../../offsets/quarantine.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { Ownership } from '../../../ports/transactions.ts';
import type { ConsumerGroup } from '../client/internals.ts';
import type { Committer } from './committer.ts';
import { goTo, type Lane, type Lanes } from './lanes.ts';

/**
 * Where a lane begins. The client would decide by itself, and when an offset is out of range it would silently commit a default
 * → records skipped unnoticed → every start is decided and logged here, and a reset is counted.
 *
 * | committed offset                          | from: earliest | from: latest                | from: fail |
 * |-------------------------------------------|----------------|-----------------------------|------------|
 * | there is one                              | there          | there                       | there      |
 * | none                                      | beginning      | end, and committed at once  | error      |
 * | none, partition is newer than this member | beginning      | beginning                   | beginning  |
 * | out of range                              | beginning      | end                         | error      |
 *
 * Every start is committed before anything is handed over: with `latest`, a crash before the first commit would otherwise skip what
 * was produced meanwhile; and the note stored with it says that somebody works there, so that the next start can detect a crash.
 */
export type FromPolicy = 'earliest' | 'latest' | 'fail';

export interface Positions {
  /** Finds the start of every lane that has none. Rejects with vendor errors, or `offset-out-of-range` by policy. */
  ensure(group: ConsumerGroup): Promise<void>;
  /** The lane's position is not within the partition: a new epoch at the policy's offset, or `offset-out-of-range`. */
  reset(group: ConsumerGroup, lane: Lane): Promise<void>;
}

export function createPositions(
  deps: {
    readonly lanes: Lanes;
    readonly telemetry: Telemetry;
    readonly store: Committer['store'];
    readonly ownership?: Ownership;
  },
  options: {
    readonly groupId: string;
    readonly from: FromPolicy;
    /** Whether crashes of earlier owners are detected and noted. */
    readonly quarantine: boolean;
  },
): Positions {
  const { lanes, telemetry } = deps;
  const { groupId, from, quarantine } = options;
  const partitionsAtFirst = new Map<string, number>();
  let ensuring: Promise<void> | undefined;

  async function endpoint(group: ConsumerGroup, lane: Lane, fromBeginning: boolean): Promise<number> {
    const { topic, partition } = lane.origin;
    const [found] = await group.cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]);
    return Number(found.partitions[0].offset);
  }

  /** Where the lane begins, and why. */
  async function startOf(group: ConsumerGroup, lane: Lane, committed: number): Promise<Start> {
    if (committed >= 0) return { lane, offset: committed, because: 'committed', isNew: false };
    const { topic, partition } = lane.origin;
    const isNew = partition >= (partitionsAtFirst.get(topic) ?? Number.POSITIVE_INFINITY);
    if (from === 'fail' && !isNew) {
      throw new SluiceError(
        'offset-out-of-range',
        `group ${groupId} has no committed offset for ${topic}/${partition}, and source.from is fail: ` +
          'begin once with source.from earliest (every record) or latest (new records only), or set offsets with kafka-consumer-groups.sh --reset-offsets',
      );
    }
    const because = isNew ? 'the partition is new' : `nothing is committed and source.from is ${from}`;
    return { lane, offset: await endpoint(group, lane, from !== 'latest' || isNew), because, isNew: true };
  }

  function begin({ lane, offset, because }: Start): void {
    if (lanes.ofOrigin(lane.origin) !== lane) return;
    const { topic, partition } = lane.origin;
    goTo(lane, offset);
    telemetry.event('position-chosen', { topic, partition, offset, because });
    const { deaths, until } = lane.suspicion;
    const step = stepOf(lane.suspicion);
    if (step === 'free') return;
    telemetry.counter('sluice_deaths_found_total', { step }).add(1);
    telemetry.event('quarantine-entered', { topic, partition, offset, until, deaths, step });
  }

  async function find(group: ConsumerGroup): Promise<void> {
    if (partitionsAtFirst.size === 0) {
      for (const [topic, known] of group.partitionsPerSubscribedTopic ?? []) partitionsAtFirst.set(topic, known.length);
    }
    const byTopic = new Map<string, Lane[]>();
    for (const lane of lanes.all()) {
      if (!Number.isNaN(lane.position)) continue;
      const list = byTopic.get(lane.origin.topic);
      if (list === undefined) byTopic.set(lane.origin.topic, [lane]);
      else list.push(lane);
    }
    if (byTopic.size === 0) return;
    // First, because an open transaction of the previous owner may still commit an offset.
    await deps.ownership?.take([...byTopic.values()].flat().map(({ origin }) => origin));
    const { responses } = await group.coordinator.offsetFetch({
      groupId,
      topics: [...byTopic].map(([topic, list]) => ({
        topic,
        partitions: list.map((lane) => ({ partition: lane.origin.partition })),
      })),
    });
    const starts: Start[] = [];
    for (const { topic, partitions } of responses) {
      for (const { partition, offset, metadata } of partitions) {
        const lane = byTopic.get(topic)?.find((candidate) => candidate.origin.partition === partition);
        if (lane === undefined) continue;
        const start = await startOf(group, lane, Number(offset));
        // Asked again, because no answer came to what was stored: then the note may be our own, and nobody died.
        const mayBeOurs = !Number.isNaN(lane.stored);
        if (quarantine && !mayBeOurs) lane.suspicion = suspicionAt(decodeMarker(metadata), start.offset);
        starts.push(start);
      }
    }
    const unsaid = starts.filter(({ isNew }) => quarantine || (isNew && from === 'latest'));
    if (unsaid.length > 0) await deps.store(unsaid.map(({ lane, offset }) => [lane, offset]));
    for (const start of starts) begin(start);
  }

  return {
    ensure(group) {
      ensuring ??= find(group).finally(() => {
        ensuring = undefined;
      });
      return ensuring;
    },

    async reset(group, lane) {
      const { topic, partition } = lane.origin;
      const offset = lane.position;
      if (from === 'fail') {
        throw new SluiceError(
          'offset-out-of-range',
          `offset ${offset} of ${topic}/${partition} is out of range (deleted by retention, or the topic was made anew), and source.from is fail: ` +
            `set offsets of group ${groupId} with kafka-consumer-groups.sh --reset-offsets, or choose source.from earliest or latest`,
        );
      }
      const to = await endpoint(group, lane, from === 'earliest');
      if (lanes.ofOrigin(lane.origin) !== lane) return;
      telemetry.counter('sluice_offset_resets_total', { policy: from }).add(1);
      telemetry.event('offset-reset', { topic, partition, offset, to, policy: from });
      // What is in flight belongs to offsets that are gone, and a watermark must not go back within an epoch.
      const renewed = lanes.renew(lane);
      await deps.ownership?.take([renewed.origin]);
      if (lanes.ofOrigin(renewed.origin) === renewed) goTo(renewed, to);
    },
  };
}

interface Start {
  readonly lane: Lane;
  readonly offset: number;
  readonly because: string;
  /** Nothing has been committed yet. */
  readonly isNew: boolean;
}
