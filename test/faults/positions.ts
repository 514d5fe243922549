/**
 * The positions of a group, for the observer: asked of its coordinator, or read from the log that coordinators keep them in.
 *
 * A coordinator that hung does not know its successor when it wakes (cause) → for a moment it answers with outdated positions,
 * as does one that still loads its log (effect) → where brokers hang, positions come from the log: what can be read
 * of it is final and in order, and shows every commit, even one that was followed by the next at once (guard).
 */
import type { Seen, TopicReader } from './read.ts';

export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
}

export type Positions = () => Promise<Position[]>;

const OFFSETS = '__consumer_offsets';

/** Where each partition stands; those without a position are left out. */
export function askedPositions(reader: TopicReader, group: string, topics: readonly string[]): Positions {
  return async () => {
    const found: Position[] = [];
    for (const topic of topics) {
      const at = await reader.committed(group, topic);
      for (const [partition, committed] of at.entries())
        if (committed >= 0) found.push({ topic, partition, committed });
    }
    return found;
  };
}

/** Every commit since the last call, in order. `reader` sees committed records only: a transaction's offsets count at its end. */
export function loggedPositions(reader: TopicReader, group: string, topics: readonly string[]): Positions {
  let partition: number | undefined;
  return async () => {
    partition ??= partitionOf(group, await reader.partitions(OFFSETS));
    const found = (await reader.readOn(OFFSETS, partition)).flatMap((seen) => commitOf(seen, group));
    return found.filter(({ topic }) => topics.includes(topic));
  };
}

/** As Kafka chooses it: Java's hash of the name. */
export function partitionOf(group: string, partitions: number): number {
  let hash = 0;
  for (let at = 0; at < group.length; at++) hash = (Math.imul(hash, 31) + group.charCodeAt(at)) | 0;
  return (hash & 0x7fffffff) % partitions;
}

/** A key is version, group, topic, partition, and of a version above 1 for a member's record; a value is version, offset, more. */
function commitOf({ key, value }: Seen, group: string): Position[] {
  if (key === null || value === null || key.readInt16BE(0) > 1) return [];
  let at = 2;
  const text = (): string => {
    const length = key.readInt16BE(at);
    at += 2 + length;
    return key.toString('utf8', at - length, at);
  };
  if (text() !== group) return [];
  return [{ topic: text(), partition: key.readInt32BE(at), committed: Number(value.readBigInt64BE(2)) }];
}
