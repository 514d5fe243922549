import type { Clock, Timer } from '../../kernel/clock.ts';
import { merge, type Share } from '../merge.ts';
import type { Letter } from './dead-letters.ts';
import { Reading } from './reading.ts';
import { Recent } from './recent.ts';
import type { HealthState, InstanceState, ProcessState, State, StateQuery } from './state.ts';

/** One pipeline's data at an instant. */
export interface Part {
  /** Empty if there is only one pipeline. */
  readonly instance: string;
  readonly share: Share;
  readonly health: HealthState;
  readonly letters: readonly Letter[];
}

/** All data at an instant: the process's own, and one part per pipeline. */
export interface Parts {
  readonly process: Share;
  readonly parts: readonly Part[];
  readonly health: HealthState;
}

export interface SamplerDeps {
  readonly clock: Clock;
  /** May reject: the next reading is taken all the same. */
  readonly read: () => Promise<Parts>;
}

export interface Sampler {
  /** Undefined if there is no such instance. */
  state(query?: StateQuery): State | undefined;
  close(): void;
}

const EVERY_MS = 1_000;
const ALL = '';

/**
 * Reads the metrics once a second, whether or not anyone looks, and keeps enough for rates and the last ten minutes, so that a console
 * opened after an incident still shows it. `about` is read on each request: `sluice dev` may rename it. Memory is bounded: six
 * readings and 120 points per pipeline.
 */
export function createSampler({ clock, read }: SamplerDeps, about: { readonly topology: string }): Sampler {
  const pipelines = new Map<string, Recent>([[ALL, new Recent()]]);
  let instances: readonly Part[] = [];
  let timer: Timer | undefined;
  let closed = false;

  function recentOf(name: string): Recent {
    const known = pipelines.get(name);
    if (known !== undefined) return known;
    const made = new Recent();
    pipelines.set(name, made);
    return made;
  }

  function take({ process, parts, health }: Parts): void {
    const atMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    const letters = parts.map((part) => part.letters);
    recentOf(ALL).look(
      new Reading(merge([process, ...parts.map(({ share }) => share)]), atMs),
      wallMs,
      health,
      letters,
    );
    instances = parts.filter(({ instance }) => instance !== ALL);
    for (const { instance, share, health, letters } of instances) {
      recentOf(instance).look(new Reading(share, atMs), wallMs, health, [letters]);
    }
  }

  async function tick(): Promise<void> {
    // After a failed reading the state stays as it is; its time shows its age.
    await read().then(take, () => undefined);
    if (!closed) timer = clock.after(EVERY_MS, () => void tick());
  }
  void tick();

  function processState(): ProcessState {
    const all = recentOf(ALL);
    const now = all.latest();
    const startedAtSeconds = now?.highest('process_start_time_seconds') ?? null;
    return {
      startedAtMs: startedAtSeconds === null ? null : Math.round(startedAtSeconds * 1000),
      residentBytes: now?.sum('process_resident_memory_bytes') ?? null,
      cpuRatio: all.cpuRatio(),
    };
  }

  function instanceState({ instance, health }: Part): InstanceState {
    const seen = pipelines.get(instance)?.state(clock.wallMs(), Number.POSITIVE_INFINITY);
    return {
      instance,
      ready: health.ready,
      reason: health.waits.join('; '),
      settledPerSecond: seen?.records.settledPerSecond ?? null,
      lagRecords: seen?.lag.records ?? null,
      bottleneck: seen?.path.bottleneck ?? '',
    };
  }

  return {
    state({ instance = ALL, afterMs = 0 } = {}) {
      const seen = pipelines.get(instance)?.state(clock.wallMs(), afterMs);
      if (seen === undefined) return undefined;
      return {
        version: 1,
        atMs: Math.round(clock.wallMs()),
        topology: about.topology,
        process: processState(),
        instances: instances.map(instanceState),
        instance,
        ...seen,
      };
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
