import type { Deadline } from '../kernel/deadline.ts';
import type { SluiceError } from '../kernel/errors.ts';
import type { Frame, Origin } from '../kernel/frame.ts';

/**
 * Where records come from: one member of a consumer group, or a bounded file.
 *
 * A source takes credit before it makes a frame (records and arena bytes) and hands the frame over with `onFrame`;
 * from then on the pipeline owns the credit. Frames of one origin come in offset order, without overlap. A frame without
 * records takes no credit and only moves the position to commit, past offsets that hold nothing to read.
 */
export interface Source {
  /** Joins and begins to fetch; resolves once the first assignment is known (or the file is open). */
  start(listener: SourceListener): Promise<void>;
  /**
   * Commits positions; one call at a time. Positions of epochs that have ended are left out (law L6) and counted.
   * Rejects with disposition `retry` when the broker could not be reached.
   */
  commit(positions: readonly Position[]): Promise<void>;
  /**
   * Ends this ownership period and, if the partition is still ours, begins another one at the committed offset: somebody else may
   * have processed it meanwhile. Only where transactions commit the positions.
   */
  renew?(origin: Origin): void;
  /** No frame is handed over after this resolves; membership and heartbeats go on. Idempotent. */
  halt(): Promise<void>;
  /** Leaves the group and closes. */
  close(): Promise<void>;
  /** Records between our position and the end of the partition, and seconds since the timestamp of the last record handed over (0 when caught up); NaN if unknown. */
  lag(): readonly PartitionLag[];
  /** Empty when progress is possible; otherwise why it is not. */
  health(): SourceHealth;
}

/** A source that ends by itself. */
export interface BoundedSource extends Source {
  /** By partition, the next offset as of the last commit: everything before it is settled. */
  settled(): ReadonlyMap<number, number>;
}

export interface SourceListener {
  /** An ownership period begins. */
  onAssigned(origin: Origin): void;
  onFrame(frame: Frame): void;
  /** Like onFrame, for a frame that must be settled before the next one: resolves when it is settled, or never will be. */
  onAlone(frame: Frame): Promise<void>;
  /** Whether what is in flight waits for something outside this process: a store, a registry, a broker. */
  isHeld(): boolean;
  /**
   * Partitions are about to be given up. Resolves when everything handed over is settled and committed, or the deadline has passed;
   * to true if all of it was settled. Meanwhile the source hands over nothing. A partition that stays with this member keeps
   * its origin, drained or not, and continues after its last frame; every other one ends with `onRevoked`.
   */
  onRevoking(deadline: Deadline): Promise<boolean>;
  /** An ownership period is over: late completions are dropped and counted. */
  onRevoked(origin: Origin): void;
  /** A bounded source has handed over its last frame. */
  onEnd(): void;
  /** The source cannot go on. */
  onFailed(error: SluiceError): void;
}

export interface Position {
  readonly origin: Origin;
  /** The next offset to read. */
  readonly offset: number;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly seconds: number;
}

export interface SourceHealth {
  /** It is a member of the group, and fetches and heartbeats are recent. */
  readonly ready: boolean;
  readonly reason: string;
  /** False only when a restart would help. */
  readonly live: boolean;
}
