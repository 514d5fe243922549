import type { Origin } from '../../../kernel/frame.ts';
import { NOBODY, type Suspicion } from '../../../offsets/quarantine.ts';
import type { ConsumerGroup, OffsetManager } from '../client/internals.ts';

/**
 * A lane: what the source knows about one assigned partition during one epoch.
 *
 * | event                                                        | outcome for the lane                                  |
 * |--------------------------------------------------------------|-------------------------------------------------------|
 * | join, partition assigned, no lane                            | new lane, new epoch, position unknown                 |
 * | join as the same member, next generation, partition assigned | kept: same epoch, same position, new offset manager   |
 * | join otherwise, or partition not assigned                    | ended                                                 |
 * | offset out of range, reset by policy                         | ended; new lane at the new position                   |
 * | member fenced, leaves, or the client crashes                 | ended                                                 |
 */
export interface Lane {
  readonly origin: Origin;
  /** Bound to the generation: a commit of a past generation is refused by the broker, never applied by mistake. */
  manager: OffsetManager;
  /** The next offset to hand over; NaN until the start position is known. */
  position: number;
  /** End of the partition as of the last fetch; NaN before the first. */
  endOffset: number;
  /** Timestamp of the last record handed over; NaN before the first. */
  lastTimestampMs: number;
  /** The highest position that was sent to be stored; NaN before the first. Everything before it is settled. */
  stored: number;
  /** What the deaths of earlier owners accuse. */
  suspicion: Suspicion;
  /** What was handed over by itself and is not settled; nothing else of the lane is under way then. */
  alone: Alone | undefined;
  /** It is being handed on: no note says any more that this process is at work here. */
  atRest: boolean;
}

export interface Alone {
  /** The offset that was stored before it was handed over. */
  readonly from: number;
  /** Offsets before this one are accused if the process dies now. */
  readonly until: number;
  /** It waits for something outside of the process. */
  held: boolean;
}

export interface LaneListener {
  onAssigned(origin: Origin): void;
  onRevoked(origin: Origin): void;
}

export class Lanes {
  private readonly byPartition = new Map<string, Lane>();
  private readonly listener: LaneListener;
  private epochs = 0;
  private group: ConsumerGroup | undefined;
  private memberId: string | null = null;
  private generationId: number | null = null;

  constructor(listener: LaneListener) {
    this.listener = listener;
  }

  get size(): number {
    return this.byPartition.size;
  }

  all(): IterableIterator<Lane> {
    return this.byPartition.values();
  }

  of(topic: string, partition: number): Lane | undefined {
    return this.byPartition.get(keyOf(topic, partition));
  }

  /** The lane of this very epoch. */
  ofOrigin(origin: Origin): Lane | undefined {
    const lane = this.of(origin.topic, origin.partition);
    return lane?.origin === origin ? lane : undefined;
  }

  /** True while `group` is still the member that the lanes belong to: a client that was told otherwise has dropped its id. */
  belongTo(group: ConsumerGroup): boolean {
    return this.group === group && group.memberId !== null && group.memberId === this.memberId;
  }

  /** Takes over an assignment, synchronously. Returns how many lanes were kept. */
  assign(group: ConsumerGroup): number {
    // A generation in between belonged to somebody else's assignment: then even the same member may have lost the partition.
    const mayKeep = this.belongTo(group) && group.generationId === (this.generationId ?? Number.NaN) + 1;
    const assigned = group.assigned();
    const keys = new Set(assigned.flatMap(({ topic, partitions }) => partitions.map((p) => keyOf(topic, p))));
    for (const [key, lane] of this.byPartition) {
      if (!mayKeep || !keys.has(key)) this.end(lane);
    }
    this.group = group;
    this.memberId = group.memberId;
    this.generationId = group.generationId;
    let kept = 0;
    for (const { topic, partitions } of assigned) {
      for (const partition of partitions) {
        const lane = this.of(topic, partition);
        if (lane === undefined) {
          this.begin(topic, partition, group.offsetManager);
          continue;
        }
        kept++;
        lane.manager = group.offsetManager;
        lane.atRest = false;
        if (!Number.isNaN(lane.position)) goTo(lane, lane.position);
      }
    }
    return kept;
  }

  /** Ends one epoch and begins the next of the same partition. */
  renew(lane: Lane): Lane {
    const { topic, partition } = lane.origin;
    this.end(lane);
    return this.begin(topic, partition, lane.manager);
  }

  endAll(): void {
    for (const lane of this.byPartition.values()) this.end(lane);
  }

  private begin(topic: string, partition: number, manager: OffsetManager): Lane {
    const lane: Lane = {
      origin: Object.freeze({ topic, partition, epoch: ++this.epochs }),
      manager,
      position: Number.NaN,
      endOffset: Number.NaN,
      lastTimestampMs: Number.NaN,
      stored: Number.NaN,
      suspicion: NOBODY,
      alone: undefined,
      atRest: false,
    };
    this.byPartition.set(keyOf(topic, partition), lane);
    this.listener.onAssigned(lane.origin);
    return lane;
  }

  private end(lane: Lane): void {
    this.byPartition.delete(keyOf(lane.origin.topic, lane.origin.partition));
    this.listener.onRevoked(lane.origin);
  }
}

/** Makes `position` the next offset that the client fetches for this lane, and that the lane hands over. */
export function goTo(lane: Lane, position: number): void {
  const { topic, partition } = lane.origin;
  lane.position = position;
  const committed = lane.manager.committedOffsets();
  committed[topic] ??= {};
  committed[topic][partition] = String(position);
  lane.manager.resolveOffset({ topic, partition, offset: String(position - 1) });
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
