import type { Acknowledged } from './wire.ts';

export interface Sent {
  readonly topic: string;
  readonly partition: number;
  /** The same rows were sent before through this producer, in the same call. */
  readonly repeated: boolean;
  /** The topic stamps records with the time of appending, so that every answer carries one. */
  readonly logAppendTime: boolean;
}

/**
 * What is wrong with an acknowledgement; undefined if it says that exactly these rows are in this partition. Pure.
 *
 * After a failed idempotent send, the client reuses its sequence number → a broker may take the next, different rows for a
 * duplicate, acknowledge them and write nothing → on a topic with producer timestamps, only such an answer has an append time.
 * For rows that really were sent before, that answer is correct.
 */
export function acknowledgementProblem(answer: readonly Acknowledged[], sent: Sent): string | undefined {
  if (answer.length !== 1) return `${answer.length} partitions acknowledged, 1 expected`;
  const [{ topicName, partition, errorCode, baseOffset, logAppendTime }] = answer;
  if (topicName !== sent.topic || partition !== sent.partition) {
    return `${topicName}/${partition} acknowledged, ${sent.topic}/${sent.partition} expected`;
  }
  if (errorCode !== 0) return `error code ${errorCode}`;
  if (!/^\d+$/.test(baseOffset)) return `base offset ${baseOffset}`;
  if (!sent.logAppendTime && !sent.repeated && logAppendTime !== '-1') return 'taken for a duplicate and not written';
  return undefined;
}
