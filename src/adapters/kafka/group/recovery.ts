import { type Clock, pause } from '../../../kernel/clock.ts';
import { deadlineIn, within } from '../../../kernel/deadline.ts';
import type { SluiceError } from '../../../kernel/errors.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import {
  isLoginRefused,
  isRejoin,
  isTopicMissing,
  kafkaType,
  messageOf,
  nameInChain,
  translate,
} from '../client/errors.ts';
import type { ConsumerGroup } from '../client/internals.ts';
import type { DeletedTopics } from './deleted-topics.ts';
import { withCoordinator } from './heartbeats.ts';

/**
 * What a member does while brokers are down: it stays a member, and retries.
 *
 * The client re-joins when a leader moves, and crashes after a few failed connections to a broker: it leaves the group or, if it
 * cannot even do that, comes back as a new member that waits for the session of its old self to expire. Its heartbeats, between
 * two fetches, wait for a coordinator that is gone, and so do all partitions.
 * Promise: a transient failure never ends the membership and never delays fetches from other brokers; each is counted.
 */
export interface Recovery {
  /** Called after a failed fetch. Resolves to false, at once, if the failure does not pass by itself. */
  fromFetch(member: ConsumerGroup, thrown: unknown): Promise<boolean>;
  /** Takes at most `patienceMs`; an answer of the coordinator after that is passed on by the next call. */
  heartbeat(member: ConsumerGroup, beat: () => Promise<void>): Promise<void>;
  /** Until it succeeds, `isOver`, or fails in a way that does not pass. */
  join(join: () => Promise<void>, isOver: () => boolean): Promise<void>;
}

/** Another broker leads the partition or coordinates the group, or none does yet. */
const MOVED: ReadonlySet<string> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
  'BROKER_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'REQUEST_TIMED_OUT',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);
const UNREACHED: readonly string[] = [
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
];

export function createRecovery(
  deps: {
    readonly clock: Clock;
    readonly telemetry: Telemetry;
    readonly random: () => number;
    readonly deletedTopics: DeletedTopics;
    /** Why a fetch failed. */
    readonly onTrouble: (message: string) => void;
  },
  options: {
    readonly groupId: string;
    readonly brokers: readonly string[];
    readonly againMs?: number;
    readonly patienceMs?: number;
  },
): Recovery {
  const { clock, telemetry, random, deletedTopics, onTrouble } = deps;
  const { groupId, brokers, againMs = 150, patienceMs = 250 } = options;
  let flight: Promise<void> | undefined;
  let verdict:
    | { readonly error: unknown; readonly member: ConsumerGroup; readonly generation: number | null }
    | undefined;

  async function again(what: string, error: SluiceError): Promise<void> {
    telemetry.counter('sluice_retries_total', { what, reason: error.code }).add(1);
    await pause(clock, againMs * (0.5 + random()));
  }

  async function beat(member: ConsumerGroup, send: () => Promise<void>): Promise<void> {
    const generation = member.generationId;
    try {
      await withCoordinator(member, send, (node) => telemetry.event('coordinator-moved', { group: groupId, node }));
    } catch (error) {
      const failure = translate(error, `keep the membership in group ${groupId}`, brokers);
      if (isRejoin(error) || failure.disposition !== 'retry') verdict = { error, member, generation };
      else await again('kafka-heartbeat', failure);
    } finally {
      flight = undefined;
    }
  }

  return {
    async fromFetch(member, thrown) {
      const passes =
        MOVED.has(kafkaType(thrown)) || UNREACHED.some((name) => nameInChain(thrown, name)) || isLoginRefused(thrown);
      if (!passes) return false;
      const error = translate(thrown, `fetch for group ${groupId}`, brokers);
      onTrouble(
        isTopicMissing(thrown) ? 'a topic that is read is not known there; was it deleted?' : messageOf(thrown),
      );
      await again('kafka-fetch', error);
      if (isTopicMissing(thrown)) await deletedTopics.look(member);
      try {
        await member.cluster.refreshMetadata();
        if (await deletedTopics.isBack(member)) await member.joinAndSync();
      } catch (error) {
        // No broker answers, or a partition has no leader: the next fetch fails too, and comes here again.
        telemetry.event('kafka-client', { severity: 'warn', component: 'metadata', message: messageOf(error) });
      }
      return true;
    },

    async heartbeat(member, send) {
      flight ??= beat(member, send);
      await within(clock, deadlineIn(clock, patienceMs), flight);
      const told = verdict;
      verdict = undefined;
      // An answer about an earlier generation says nothing about this one.
      if (told?.member === member && told.generation === member.generationId) throw told.error;
    },

    async join(join, isOver) {
      for (;;) {
        try {
          return await join();
        } catch (thrown) {
          const error = translate(thrown, `join group ${groupId}`, brokers);
          if (error.disposition !== 'retry' || isOver()) throw thrown;
          await again('kafka-join', error);
        }
      }
    },
  };
}
