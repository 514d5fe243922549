import type { Clock, Timer } from '../../../kernel/clock.ts';
import { isCoordinatorLost, isRejoin } from '../client/errors.ts';
import type { ConsumerGroup } from '../client/internals.ts';

/**
 * Heartbeats beyond those that the client sends between fetches.
 *
 * They are sent only during a wait for a declared reason (credit, a drain): a plain timer would keep alive a member that does
 * nothing, and so disable failure detection.
 * They are sent at a third of the client's heartbeat interval; the client itself skips those that come too early.
 */
export interface Heartbeats {
  /** Keeps the membership alive while `work` runs; calls `onLost` once if the group goes on without us or re-forms. */
  during<T>(group: ConsumerGroup, work: Promise<T>, onLost: (error: unknown) => void): Promise<T>;
}

export function createHeartbeats(
  deps: { readonly clock: Clock; readonly onBeat: () => void },
  options: { readonly intervalMs: number },
): Heartbeats {
  const { clock, onBeat } = deps;

  return {
    async during(group, work, onLost) {
      let over = false;
      let lost = false;
      let timer: Timer | undefined;
      const again = (): void => {
        if (!over) timer = clock.after(options.intervalMs / 3, () => void beat());
      };
      const beat = async (): Promise<void> => {
        try {
          await group.heartbeat({ interval: options.intervalMs });
          onBeat();
        } catch (error) {
          // An unreachable broker says nothing about the membership: keep trying until the coordinator answers.
          if (isRejoin(error) && !lost && !over) {
            lost = true;
            onLost(error);
          }
        }
        again();
      };
      again();
      try {
        return await work;
      } finally {
        over = true;
        timer?.cancel();
      }
    },
  };
}

/**
 * Lets a group find a coordinator that has moved, and then repeats `request` once. The client would leave the group and join again,
 * with every partition redelivered, although the membership lives on at the new coordinator.
 */
export async function withCoordinator<T>(
  group: ConsumerGroup,
  request: () => Promise<T>,
  onMoved: (nodeId: number) => void,
): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!isCoordinatorLost(error)) throw error;
    const before = group.coordinator;
    const found = await group.cluster.findGroupCoordinator({ groupId: group.groupId });
    group.coordinator = found;
    if (group.offsetManager !== null) group.offsetManager.coordinator = found;
    if (found !== before) onMoved(found.nodeId);
    return await request();
  }
}
