import type { Clock, Timer } from '../../kernel/clock.ts';
import { merge, type Share } from '../merge.ts';
import type { Letter } from './dead-letters.ts';
import { Reading } from './reading.ts';
import { Recent } from './recent.ts';
import type { HealthState, InstanceState, ProcessState, State, StateQuery } from './state.ts';

/** What there is of one pipeline at an instant. */
export interface Part {
  /** Empty where there is one pipeline only. */
  readonly instance: string;
  readonly share: Share;
  readonly health: HealthState;
  readonly letters: readonly Letter[];
}

/** Everything at an instant: what belongs to the process alone, and a part a pipeline. */
export interface Parts {
  readonly process: Share;
  readonly parts: readonly Part[];
  readonly health: HealthState;
}

export interface SamplerDeps {
  readonly clock: Clock;
  /** May be rejected: the next one is asked for all the same. */
  readonly read: () => Promise<Parts>;
}

export interface Sampler {
  /** Undefined when there is no such instance. */
  state(query?: StateQuery): State | undefined;
  close(): void;
}

const EVERY_MS = 1_000;
const ALL = '';

/**
 * Reads the metrics once a second, whether somebody looks or not, and keeps what it takes to tell rates and the last ten minutes:
 * who opens the console after something happened still sees it. `about` is read at every question: `sluice dev` may rename it. Memory is bounded: six readings and 120 points a pipeline.
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
    // A reading that fails leaves the state as it is: its time tells how old it is.
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
