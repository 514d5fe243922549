import { type Admin, createAdmin } from '../adapters/http/admin.ts';
import { createExposition, type Snapshots } from '../adapters/prometheus/exposition.ts';
import { createProcessMetrics } from '../adapters/prometheus/process.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Health } from '../runner.ts';
import { shareOf } from '../telemetry/merge.ts';
import type { MetricStore } from '../telemetry/metrics.ts';
import { keepLetters, type Letter } from '../telemetry/state/dead-letters.ts';
import { createSampler, type Parts } from '../telemetry/state/sampler.ts';
import type { HealthState } from '../telemetry/state/state.ts';

export interface Watched {
  readonly clock: Clock;
  readonly metrics: Snapshots;
  readonly parts: () => Promise<Parts>;
  readonly health: () => Health;
  readonly topology: string;
}

export interface Listen {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** Serves metrics, health and the console of a pipeline; `topology` is read on each request. */
export async function serve(watched: Watched, listen: Listen): Promise<Admin> {
  const { clock, metrics, parts, health } = watched;
  const sampler = createSampler({ clock, read: parts }, watched);
  const exposition = createExposition({ clock, telemetry: metrics });
  try {
    const admin = await createAdmin({ clock, metrics: exposition, health, console: sampler }, listen);
    return {
      url: admin.url,
      close() {
        sampler.close();
        return admin.close();
      },
    };
  } catch (thrown) {
    sampler.close();
    throw thrown;
  }
}

/**
 * For a command that creates its pipeline later: serves at once if asked to, and reports `starting` until `health` is set.
 */
export async function watch(
  { clock, telemetry, topology }: { readonly clock: Clock; readonly telemetry: MetricStore; readonly topology: string },
  listen: Listen | undefined,
) {
  const figures = createProcessMetrics({ clock, telemetry });
  const watched = {
    health: (): Health => ({ live: true, ready: false, reason: 'starting' }),
    url: undefined as string | undefined,
    async [Symbol.asyncDispose](): Promise<void> {
      figures.close();
      await admin?.close();
    },
  };
  const health = (): Health => watched.health();
  const parts = onePart(telemetry, keepLetters({ clock, telemetry }), health);
  const admin = listen && (await serve({ clock, metrics: telemetry, parts, health, topology }, listen));
  watched.url = admin?.url;
  return watched;
}

/** What the console shows of a process that runs one pipeline. */
export function onePart(
  telemetry: MetricStore,
  letters: () => readonly Letter[],
  health: () => Health,
): () => Promise<Parts> {
  return async () => {
    const state = healthState(health());
    const part = { instance: '', share: shareOf(telemetry), health: state, letters: letters() };
    return { process: [], parts: [part], health: state };
  };
}

export function healthState({ live, ready, reason, waits = reason === '' ? [] : [reason] }: Health): HealthState {
  return { live, ready, waits };
}
