import { SluiceError } from '../../kernel/errors.ts';
import type { Position } from '../../ports/source.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { isFenced, isRejoin, kafkaType, messageOf, translate } from './errors.ts';
import { withCoordinator } from './heartbeats.ts';
import type { OffsetManager } from './internals.ts';
import type { Lane, Lanes } from './lanes.ts';
import type { Membership } from './membership.ts';

/**
 * Stores positions of current epochs, and of no others (law L6).
 *
 * The client's `commitOffsets` speaks for whatever generation is current → a late commit would go through for
 * partitions owned by somebody else, and resolves without doing anything once its runner stops → commits go through
 * the offset manager that the lane was assigned with: the broker refuses it when that generation is over.
 */
export interface Committer {
  commit(positions: readonly Position[]): Promise<void>;
}

export function createCommitter(
  deps: { readonly lanes: Lanes; readonly telemetry: Telemetry; readonly membership: Membership },
  options: { readonly groupId: string; readonly brokers: readonly string[] },
): Committer {
  const { lanes, telemetry, membership } = deps;
  const leftOut = telemetry.counter('sluice_commits_left_out_total');
  const fenced = telemetry.counter('sluice_commits_fenced_total');

  async function store(manager: OffsetManager, list: readonly [Lane, number][]): Promise<void> {
    const byTopic = new Map<string, { partition: number; offset: string }[]>();
    for (const [lane, offset] of list) {
      const { topic, partition } = lane.origin;
      const entry = { partition, offset: String(offset) };
      const entries = byTopic.get(topic);
      if (entries === undefined) byTopic.set(topic, [entry]);
      else entries.push(entry);
    }
    const request = { topics: [...byTopic].map(([topic, partitions]) => ({ topic, partitions })) };
    const { group } = membership;
    const send = (): Promise<void> => manager.commitOffsets(request);
    if (group === undefined) return send();
    await withCoordinator(group, send, (node) => {
      telemetry.event('coordinator-moved', { group: options.groupId, node });
    });
  }

  return {
    async commit(positions) {
      const byManager = new Map<OffsetManager, [Lane, number][]>();
      let late = 0;
      for (const { origin, offset } of positions) {
        const lane = lanes.ofOrigin(origin);
        if (lane === undefined) {
          late++;
          continue;
        }
        const list = byManager.get(lane.manager);
        if (list === undefined) byManager.set(lane.manager, [[lane, offset]]);
        else list.push([lane, offset]);
      }
      if (late > 0) {
        leftOut.add(late);
        telemetry.event('commit-left-out', { group: options.groupId, positions: late });
      }
      for (const [manager, list] of byManager) {
        try {
          await store(manager, list);
        } catch (thrown) {
          if (!isRejoin(thrown)) throw translate(thrown, `commit offsets of group ${options.groupId}`, options.brokers);
          fenced.add(list.length);
          telemetry.event('commit-fenced', {
            group: options.groupId,
            positions: list.length,
            error: kafkaType(thrown) || messageOf(thrown),
          });
          // Fenced, nothing of this generation can be stored any more; whether the lanes are kept is known after the
          // re-join. So these positions are to be tried again, and left out then if their epochs are over.
          const isOver = isFenced(thrown) && !membership.group?.memberId;
          if (!isOver) {
            throw new SluiceError(
              'broker-rejected',
              `group ${options.groupId} is re-forming: ${list.length} positions are committed again after it, where still owned`,
              thrown,
            );
          }
        }
      }
    },
  };
}
