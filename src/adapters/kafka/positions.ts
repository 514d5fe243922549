import { SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { ConsumerGroup } from './internals.ts';
import { goTo, type Lane, type Lanes } from './lanes.ts';

/**
 * Where a lane begins. The client would decide by itself, and commit a default behind our back when an offset is out
 * of range → records skipped unseen → every start is decided here, logged, and a reset counted.
 *
 * | committed offset                          | from: earliest | from: latest                | from: fail |
 * |-------------------------------------------|----------------|-----------------------------|------------|
 * | there is one                              | there          | there                       | there      |
 * | none                                      | beginning      | end, and committed at once  | error      |
 * | none, partition is newer than this member | beginning      | beginning                   | beginning  |
 * | out of range                              | beginning      | end                         | error      |
 *
 * `latest` commits its start, or a crash before the first commit would skip what was produced meanwhile.
 */
export type FromPolicy = 'earliest' | 'latest' | 'fail';

export interface Positions {
  /** Finds the start of every lane that has none. Rejects with vendor errors, or `offset-out-of-range` by policy. */
  ensure(group: ConsumerGroup): Promise<void>;
  /** The lane's position is not within the partition: a new epoch at the policy's offset, or `offset-out-of-range`. */
  reset(group: ConsumerGroup, lane: Lane): Promise<void>;
}

export function createPositions(
  deps: { readonly lanes: Lanes; readonly telemetry: Telemetry },
  options: { readonly groupId: string; readonly from: FromPolicy },
): Positions {
  const { lanes, telemetry } = deps;
  const { groupId, from } = options;
  const partitionsAtFirst = new Map<string, number>();
  let ensuring: Promise<void> | undefined;

  async function endpoint(group: ConsumerGroup, lane: Lane, fromBeginning: boolean): Promise<number> {
    const { topic, partition } = lane.origin;
    const [found] = await group.cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]);
    return Number(found.partitions[0].offset);
  }

  async function pin(lane: Lane, offset: number): Promise<void> {
    const { topic, partition } = lane.origin;
    await lane.manager.commitOffsets({ topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }] });
  }

  async function begin(group: ConsumerGroup, lane: Lane, committed: number): Promise<void> {
    const { topic, partition } = lane.origin;
    let offset = committed;
    let because = 'committed';
    if (committed < 0) {
      const isNew = partition >= (partitionsAtFirst.get(topic) ?? Number.POSITIVE_INFINITY);
      if (from === 'fail' && !isNew) {
        throw new SluiceError(
          'offset-out-of-range',
          `group ${groupId} has no committed offset for ${topic}/${partition}, and source.from is fail: ` +
            'begin once with source.from earliest (every record) or latest (new records only), or set offsets with kafka-consumer-groups.sh --reset-offsets',
        );
      }
      because = isNew ? 'the partition is new' : `nothing is committed and source.from is ${from}`;
      offset = await endpoint(group, lane, from !== 'latest' || isNew);
      if (from === 'latest') await pin(lane, offset);
    }
    if (lanes.ofOrigin(lane.origin) !== lane) return;
    goTo(lane, offset);
    telemetry.event('position-chosen', { topic, partition, offset, because });
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
    const { responses } = await group.coordinator.offsetFetch({
      groupId,
      topics: [...byTopic].map(([topic, list]) => ({
        topic,
        partitions: list.map((lane) => ({ partition: lane.origin.partition })),
      })),
    });
    for (const { topic, partitions } of responses) {
      for (const { partition, offset } of partitions) {
        const lane = byTopic.get(topic)?.find((candidate) => candidate.origin.partition === partition);
        if (lane !== undefined) await begin(group, lane, Number(offset));
      }
    }
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
      // What is in flight belongs to offsets that are gone; and a watermark must not go back within an epoch.
      goTo(lanes.renew(lane), to);
    },
  };
}
