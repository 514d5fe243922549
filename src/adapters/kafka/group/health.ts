import type { SluiceError } from '../../../kernel/errors.ts';
import type { PartitionLag, SourceHealth } from '../../../ports/source.ts';
import type { Lane } from './lanes.ts';

/** The inputs of a member's health. */
export interface Signs {
  readonly failure: SluiceError | undefined;
  /** The group, if it has not been joined yet. */
  readonly joining: string | undefined;
  /** Why the gate is shut; empty when it is open. */
  readonly shut: readonly string[];
  /** No heartbeat was answered for a whole session: nothing is handed over until one is. */
  readonly isUnheard: boolean;
  /** Time since the client's last sign of life; 0 during a declared wait. */
  readonly silentMs: number;
  /** Time since a fetch was answered; 0 while none is due. */
  readonly unansweredMs: number;
  /** What is wrong with the brokers, until one of them has answered. */
  readonly trouble: string | undefined;
  readonly sessionTimeoutMs: number;
  readonly maxWaitMs: number;
}

/** A single failed fetch is retried well within this time. */
const UNANSWERED_WAITS = 5;

/** Not live only after a permanent failure: everything else passes by itself, and a restart would not speed it up. */
export function healthOf(signs: Signs): SourceHealth {
  const { failure, joining, shut, silentMs, unansweredMs, trouble } = signs;
  if (failure !== undefined) return { ready: false, reason: failure.message, live: false };
  const brokersSay = trouble === undefined ? [] : [trouble];
  if (joining !== undefined) return notReady(`joining group ${joining}`, ...brokersSay);
  if (shut.length > 0) return notReady(...shut, ...brokersSay);
  if (signs.isUnheard) return notReady('no heartbeat was answered for a session', ...brokersSay);
  if (silentMs > Math.max(signs.sessionTimeoutMs, 5_000)) {
    return notReady(`no fetch ended for ${Math.round(silentMs / 1000)} s`, ...brokersSay);
  }
  const isStuck = silentMs > 2 * signs.maxWaitMs || unansweredMs > UNANSWERED_WAITS * signs.maxWaitMs;
  if (trouble !== undefined && isStuck) return notReady(trouble);
  return { ready: true, reason: '', live: true };
}

function notReady(...reasons: string[]): SourceHealth {
  return { ready: false, reason: reasons.join(', '), live: true };
}

export function lagOf(lane: Lane, nowMs: number): PartitionLag {
  const { topic, partition } = lane.origin;
  const records = Math.max(0, lane.endOffset - lane.position);
  const seconds = records === 0 ? 0 : Math.max(0, nowMs - lane.lastTimestampMs) / 1000;
  return { topic, partition, records, seconds };
}
