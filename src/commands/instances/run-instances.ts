import { extname } from 'node:path';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LogLevel } from '../../ports/telemetry.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';
import { type Fleet, startFleet } from './fleet.ts';
import type { InstanceData } from './messages.ts';

export interface InstancesOptions {
  readonly topology: string;
  readonly instances: number;
  /** Per instance. */
  readonly cores: number;
  readonly logLevel: LogLevel;
  readonly pretty: boolean;
  readonly color: boolean;
  /** What a thread runs, by default instance.ts; tests substitute one that breaks. */
  readonly entry?: URL;
}

const ENTRY = new URL(`./instance${extname(import.meta.url)}`, import.meta.url);

/** Starts this many pipelines of a plan, each in a thread; the main thread keeps signals, HTTP and metrics. */
export function startInstances(plan: Plan, options: InstancesOptions, telemetry: MetricStore, io: Io): Fleet {
  const { clock, random, env, instance } = io;
  const { topology, cores, logLevel, pretty, color, entry = ENTRY } = options;
  const instances = Array.from({ length: options.instances }, (_, i): InstanceData => {
    const seed = [word(random), word(random), word(random)] as const;
    return {
      topology,
      index: i + 1,
      instance: `${instance}-${i + 1}`,
      env: { ...env },
      seed,
      processCores: io.cores ?? 1,
      cores,
      logLevel,
      pretty,
      color,
    };
  });
  return startFleet({ clock, telemetry, entry }, { instances, drainMs: plan.topology.flow.drainMs });
}

/** The exit code of the fleet; throws what kept an instance from starting. */
export async function codeOf(fleet: Fleet): Promise<number> {
  const { code, thrown } = await fleet.ended;
  if (thrown !== undefined) throw new SluiceError(thrown.code, thrown.message);
  return code;
}

function word(random: () => number): number {
  return Math.floor(random() * 2 ** 32);
}
