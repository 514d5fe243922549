import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { messageOf } from '../client/errors.ts';
import type { ConsumerGroup } from '../client/internals.ts';
import type { Gate } from './gate.ts';
import type { Lanes } from './lanes.ts';

/**
 * The end offsets of partitions while nothing is fetched. A fetch reports the end along with the records; but while a batch waits
 * for credit, or the gate is shut, there is no fetch → the lag would stand still, however much arrives → the brokers are asked.
 *
 * Promise: at most one request in flight, and one per period, for all lanes; nothing waits for it, and it never throws.
 * Limit: end offsets only grow here, so that a late answer does not undo what a fetch has reported; a fetch sets them as they are.
 */
export interface EndOffsets {
  /** Requests the end offsets if it is time to. */
  look(group: ConsumerGroup): void;
  /** Requests them before `work`, since many short pieces of work may follow each other, and repeatedly while it runs. */
  during<T>(group: ConsumerGroup, work: Promise<T>): Promise<T>;
}

export interface EndOffsetsDeps {
  readonly clock: Clock;
  readonly lanes: Lanes;
  readonly gate: Gate;
  readonly telemetry: Telemetry;
}

export function createEndOffsets(deps: EndOffsetsDeps, options: { readonly everyMs: number }): EndOffsets {
  const { clock, lanes, gate, telemetry } = deps;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking = false;
  // A request to a client that is being closed would make it connect again.
  const isOver = (): boolean => gate.reasons.includes('closed');

  function tell(thrown: unknown): void {
    telemetry.event('kafka-client', { severity: 'warn', component: 'end offsets', message: messageOf(thrown) });
  }

  async function ask({ cluster }: ConsumerGroup): Promise<void> {
    const byTopic = new Map<string, { partition: number }[]>();
    for (const { origin } of lanes.all()) {
      const partitions = byTopic.get(origin.topic);
      if (partitions === undefined) byTopic.set(origin.topic, [{ partition: origin.partition }]);
      else partitions.push({ partition: origin.partition });
    }
    try {
      const found = await cluster.fetchTopicsOffset(
        [...byTopic].map(([topic, partitions]) => ({ topic, partitions, fromBeginning: false })),
      );
      for (const { topic, partitions } of found) {
        for (const { partition, offset } of partitions) {
          const lane = lanes.of(topic, partition);
          if (lane !== undefined && !(lane.endOffset >= Number(offset))) lane.endOffset = Number(offset);
        }
      }
    } catch (thrown) {
      tell(thrown);
      // Normally a fetch notices that a leader has moved, but there is none.
      if (!isOver()) await cluster.refreshMetadata();
    }
  }

  function look(group: ConsumerGroup): void {
    const nowMs = clock.monotonicMs();
    if (asking || isOver() || lanes.size === 0 || nowMs - askedAtMs < options.everyMs) return;
    asking = true;
    askedAtMs = nowMs;
    ask(group)
      .catch(tell)
      .finally(() => {
        asking = false;
      });
  }

  return {
    look,

    async during(group, work) {
      let timer: Timer | undefined;
      const again = (): void => {
        look(group);
        timer = clock.after(options.everyMs, again);
      };
      again();
      try {
        return await work;
      } finally {
        timer?.cancel();
      }
    },
  };
}
