import type { Clock } from '../kernel/clock.ts';
import type { Conditions } from '../kernel/conditions.ts';
import type { Frame } from '../kernel/frame.ts';
import type { Telemetry } from '../ports/telemetry.ts';

/** A step of the path over one frame. Synchronous where it can be; a promise only where the world must answer. */
export type Stage = (frame: Frame) => undefined | Promise<void>;

/** A step that never waits. */
export type SyncStage = (frame: Frame) => void;

export interface StageDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly telemetry: Telemetry;
  readonly conditions: Conditions;
  /** Aborted when the drain budget has run out or the pipeline has failed: waits end, what is unsettled stays so. */
  readonly abandon: AbortSignal;
}

/** Retries a call on the world: counted, reported as a condition while it lasts. */
export interface Outage {
  /** What waits, for people: `store route`. */
  readonly what: string;
  /** Label of sluice_retries_total. */
  readonly kind: 'store' | 'registry' | 'sink' | 'commit';
}
