import type { Clock } from '../../../kernel/clock.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { isTopicMissing } from '../client/errors.ts';
import type { ConsumerGroup } from '../client/internals.ts';
import type { Lanes } from './lanes.ts';

/**
 * Input topics that are deleted while they are being read. One that is created again has the same name, but different records at
 * the same offsets → continuing at the old position would skip records silently, or use meaningless offsets → once the brokers
 * have said for `certainAfterMs` that there is no such topic, its lanes begin a new epoch without a position. Where they start when
 * it is back is decided as for a new group (positions.ts), and the reset is counted.
 * Limit: this client cannot tell a topic that is deleted and created again between two fetches from the old one.
 */
export interface DeletedTopics {
  /** Called after a fetch that failed because a topic is unknown. */
  look(member: ConsumerGroup): Promise<void>;
  /** True once, when every topic that was gone is back: the assignment may have changed. */
  isBack(member: ConsumerGroup): Promise<boolean>;
}

/** After a gap of so many `certainAfterMs` between two looks, counting starts again. */
const FORGIVEN_AFTER = 10;

export function createDeletedTopics(
  deps: { readonly clock: Clock; readonly telemetry: Telemetry; readonly lanes: Lanes },
  options: { readonly policy: string; readonly certainAfterMs?: number },
): DeletedTopics {
  const { clock, telemetry, lanes } = deps;
  const { policy, certainAfterMs = 1_000 } = options;
  /** When it was first and last found missing. */
  const missing = new Map<string, { readonly sinceMs: number; readonly lastMs: number }>();
  const gone = new Set<string>();

  /** A topic is missing only if a broker says so; an unreachable broker says nothing. */
  async function isMissing({ cluster }: ConsumerGroup, topic: string): Promise<boolean> {
    for (const nodeId of cluster.getNodeIds()) {
      try {
        const broker = await cluster.findBroker({ nodeId });
        await broker.metadata([topic]);
        return false;
      } catch (thrown) {
        if (isTopicMissing(thrown)) return true;
      }
    }
    return false;
  }

  function forget(topic: string): void {
    const left = [...lanes.all()].filter(({ origin, position }) => origin.topic === topic && !Number.isNaN(position));
    if (left.length === 0) return;
    gone.add(topic);
    telemetry.counter('sluice_offset_resets_total', { policy }).add(left.length);
    telemetry.event('topic-gone', { topic, partitions: left.length, policy });
    for (const lane of left) lanes.renew(lane);
  }

  return {
    async look(member) {
      const nowMs = clock.monotonicMs();
      for (const topic of new Set([...lanes.all()].map(({ origin }) => origin.topic))) {
        if (!(await isMissing(member, topic))) {
          missing.delete(topic);
          continue;
        }
        // Only failed fetches lead here: between two that are far apart, the topic was read.
        const before = missing.get(topic);
        const goesOn = before !== undefined && nowMs - before.lastMs < FORGIVEN_AFTER * certainAfterMs;
        const sinceMs = goesOn ? before.sinceMs : nowMs;
        missing.set(topic, { sinceMs, lastMs: nowMs });
        if (nowMs - sinceMs >= certainAfterMs) forget(topic);
      }
    },

    async isBack(member) {
      if (gone.size === 0) return false;
      for (const topic of gone) if (await isMissing(member, topic)) return false;
      gone.clear();
      missing.clear();
      return true;
    },
  };
}
