import type { Clock } from '../../../kernel/clock.ts';
import { deadlineIn, within } from '../../../kernel/deadline.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Position } from '../../../ports/source.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { isRejoin, kafkaType, messageOf, translate } from '../client/errors.ts';
import type { CommitTopic, ConsumerGroup, OffsetManager } from '../client/internals.ts';
import { withCoordinator } from './heartbeats.ts';
import type { Lane, Lanes } from './lanes.ts';
import type { NoteBeside } from './quarantine-notes.ts';

/**
 * Commits positions of current epochs, and of no others (law L6), each with its note.
 *
 * The client's `commitOffsets` speaks for whatever generation is current → a late commit would succeed for partitions that somebody
 * else owns by then; and it resolves without doing anything once its runner has stopped → commits go through the offset manager
 * with which the lane was assigned, so that the broker refuses them once that generation is over.
 *
 * Two requests may overtake each other when the coordinator moves, and a request may be repeated after a later one was stored → a
 * position would go back → requests go one at a time, in order, but none waits long for an answer that may be lost; and no
 * position is sent, or sent again, that is lower than one sent before.
 */
export interface Committer {
  commit(positions: readonly Position[]): Promise<void>;
  /** Commits positions of lanes: everything before them is settled. Rejects with the client's own error. */
  store(list: readonly LanePosition[]): Promise<void>;
  /** Notes with every committed position that this process no longer works there. Never rejects. */
  release(): Promise<void>;
}

/** How long a request waits for the previous one. */
const TURN_MS = 1_000;

export type LanePosition = readonly [lane: Lane, offset: number];

export function createCommitter(
  deps: {
    readonly clock: Clock;
    readonly lanes: Lanes;
    readonly telemetry: Telemetry;
    readonly group: () => ConsumerGroup | undefined;
    /** undefined: nothing is noted. */
    readonly note: NoteBeside | undefined;
  },
  options: { readonly groupId: string; readonly brokers: readonly string[] },
): Committer {
  const { clock, lanes, telemetry, note } = deps;
  const leftOut = telemetry.counter('sluice_commits_left_out_total');
  const fenced = telemetry.counter('sluice_commits_fenced_total');
  let last: Promise<unknown> = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    const ours = within(clock, deadlineIn(clock, TURN_MS), last).then(work);
    last = ours.catch(() => undefined);
    return ours;
  }

  function requestFor(list: readonly LanePosition[]): readonly CommitTopic[] {
    const byTopic = new Map<string, CommitTopic['partitions'][number][]>();
    for (const [lane, offset] of list) {
      if (offset < lane.stored) continue;
      const { topic, partition } = lane.origin;
      const entry = { partition, offset: String(offset), ...(note && { metadata: note(lane, offset) }) };
      lane.stored = offset;
      const entries = byTopic.get(topic);
      if (entries === undefined) byTopic.set(topic, [entry]);
      else entries.push(entry);
    }
    return [...byTopic].map(([topic, partitions]) => ({ topic, partitions }));
  }

  async function send(manager: OffsetManager, list: readonly LanePosition[]): Promise<void> {
    const group = deps.group();
    const request = async (): Promise<void> => {
      const topics = requestFor(list);
      // Without topics, the client would commit what it believes to be processed.
      if (topics.length > 0) await manager.commitOffsets({ topics });
    };
    if (group === undefined) return request();
    await withCoordinator(group, request, (node) => {
      telemetry.event('coordinator-moved', { group: options.groupId, node });
    });
  }

  function byManager(list: readonly LanePosition[]): Map<OffsetManager, LanePosition[]> {
    const found = new Map<OffsetManager, LanePosition[]>();
    for (const each of list) {
      const { manager } = each[0];
      const of = found.get(manager);
      if (of === undefined) found.set(manager, [each]);
      else of.push(each);
    }
    return found;
  }

  const store = (list: readonly LanePosition[]): Promise<void> =>
    inTurn(async () => {
      const current = list.filter(([lane]) => lanes.ofOrigin(lane.origin) === lane);
      for (const [manager, each] of byManager(current)) await send(manager, each);
    });

  /**
   * Nothing of this generation can be committed any longer. Whether the lanes are kept is known after the re-join: so these positions
   * are to be tried again, and left out then if their epochs are over. To take them for stored would be to lose count of what
   * is read again.
   */
  function onRefused(thrown: unknown, positions: number): void {
    if (!isRejoin(thrown)) throw translate(thrown, `commit offsets of group ${options.groupId}`, options.brokers);
    fenced.add(positions);
    const error = kafkaType(thrown) || messageOf(thrown);
    telemetry.event('commit-fenced', { group: options.groupId, positions, error });
    throw new SluiceError(
      'broker-rejected',
      `group ${options.groupId} is re-forming: ${positions} positions are committed again after it, where still owned`,
      thrown,
    );
  }

  return {
    store,

    commit: (positions) =>
      inTurn(async () => {
        const current: LanePosition[] = [];
        for (const { origin, offset } of positions) {
          const lane = lanes.ofOrigin(origin);
          if (lane !== undefined) current.push([lane, offset]);
        }
        const late = positions.length - current.length;
        if (late > 0) {
          leftOut.add(late);
          telemetry.event('commit-left-out', { group: options.groupId, positions: late });
        }
        for (const [manager, list] of byManager(current)) {
          try {
            await send(manager, list);
          } catch (thrown) {
            onRefused(thrown, list.length);
          }
        }
      }),

    async release() {
      if (note === undefined) return;
      const stored = [...lanes.all()].filter((lane) => !Number.isNaN(lane.stored));
      for (const lane of stored) lane.atRest = true;
      try {
        await store(stored.map((lane) => [lane, lane.stored]));
      } catch (thrown) {
        telemetry.event('quarantine-note-failed', { group: options.groupId, error: messageOf(thrown) });
      }
    },
  };
}
