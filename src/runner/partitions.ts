import type { Clock } from '../kernel/clock.ts';
import type { Frame, Origin } from '../kernel/frame.ts';
import type { Source } from '../ports/source.ts';
import type { Labels, Telemetry } from '../ports/telemetry.ts';
import { createLagLookUp, type Lag } from './lag.ts';

/** For each partition that is ours: how far it is behind, how long it will be, and whether it stands still. */
export interface Partitions {
  assigned(origin: Origin): void;
  revoked(origin: Origin): void;
  took(frame: Frame): void;
  left(frame: Frame): void;
  /** For each partition, as in the gauges. */
  lags(): Iterable<Lag>;
}

interface Watched {
  /** Frames under way. */
  frames: number;
  /** When a record last settled, or none was waiting. */
  movedMs: number;
}

/**
 * Gauges per partition. A pipeline looks healthy while one of its partitions stands still and the others go on (cause) → nobody would look
 * into it (effect) → each partition reports for how long records have waited without one settling (guard). In a slow partition
 * records settle now and then, however far behind it is; what all partitions wait for is `sluice_waiting`.
 */
export function createPartitions(deps: {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly source: Pick<Source, 'lag'>;
}): Partitions {
  const { clock, telemetry } = deps;
  const lags = createLagLookUp(clock, deps.source);
  const watched = new Map<Origin, Watched>();

  function stillSeconds({ topic, partition }: Origin, partitionOf: Watched): number {
    const nowMs = clock.monotonicMs();
    const { records } = lags.of(topic, partition);
    // If the end is unknown, records may be waiting.
    if (partitionOf.frames === 0 && records === 0) partitionOf.movedMs = nowMs;
    return (nowMs - partitionOf.movedMs) / 1_000;
  }

  return {
    assigned(origin) {
      const { topic, partition } = origin;
      const here: Watched = { frames: 0, movedMs: clock.monotonicMs() };
      watched.set(origin, here);
      const labels = labelsOf(origin);
      telemetry.gauge('sluice_lag_records', labels, () => lags.of(topic, partition).records);
      telemetry.gauge('sluice_lag_seconds', labels, () => lags.of(topic, partition).seconds);
      telemetry.gauge('sluice_lag_drain_seconds', labels, () => lags.of(topic, partition).drainSeconds);
      telemetry.gauge('sluice_partition_still_seconds', labels, () => stillSeconds(origin, here));
    },
    revoked(origin) {
      watched.delete(origin);
      lags.forget(origin.topic, origin.partition);
      for (const name of [
        'sluice_lag_records',
        'sluice_lag_seconds',
        'sluice_lag_drain_seconds',
        'sluice_partition_still_seconds',
      ])
        telemetry.removeGauge(name, labelsOf(origin));
    },
    took({ origin }) {
      const here = watched.get(origin);
      if (here !== undefined && here.frames++ === 0) here.movedMs = clock.monotonicMs();
    },
    left({ origin }) {
      const here = watched.get(origin);
      if (here === undefined) return;
      here.frames--;
      here.movedMs = clock.monotonicMs();
    },
    lags: lags.all,
  };
}

function labelsOf({ topic, partition }: Origin): Labels {
  return { topic, partition: String(partition) };
}
