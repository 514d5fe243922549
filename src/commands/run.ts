import { isLoopBack } from '../adapters/http/console.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import type { Snapshots } from '../adapters/prometheus/exposition.ts';
import { createProcessMetrics } from '../adapters/prometheus/process.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime } from '../ports/model.ts';
import type { Health } from '../runner.ts';
import { createTelemetry, type MetricStore } from '../telemetry/metrics.ts';
import { keepLetters } from '../telemetry/state/dead-letters.ts';
import type { Parts } from '../telemetry/state/sampler.ts';
import { conclude } from './conclude.ts';
import { type Listen, onePart, serve } from './console.ts';
import { codeOf, startInstances } from './instances/run-instances.ts';
import type { Io } from './io.ts';
import { memoryOf, memoryTerms } from './memory.ts';
import { preparePlan } from './prepare.ts';
import { NOTHING_DONE, startPlan } from './run-plan.ts';
import { createWorld } from './world/world.ts';

export interface RunOptions {
  readonly topology: string;
  /** Check and connect, then stop. */
  readonly dry: boolean;
  readonly listen: Listen | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Log in JSON lines. */
  readonly json: boolean;
  /** Pipelines in this process; default one. */
  readonly instances?: number;
  /** What an instance's thread runs; tests substitute one that breaks. */
  readonly entry?: URL;
}

/** What this process runs: one pipeline on this thread, or several in their own threads. */
interface Running {
  /** The exit code. */
  readonly ended: Promise<number>;
  readonly metrics: Snapshots;
  /** What the console shows. */
  parts(): Promise<Parts>;
  health(): Health;
  stop(): void;
  abort(): void;
}

/** `sluice run`: the production processor. Resolves with the exit code when it was told to stop, or failed. */
export async function run(options: RunOptions, io: Io): Promise<number> {
  const { clock } = io;
  const { instances = 1 } = options;
  const pretty = !options.json && io.stderr.isTTY === true;
  const color = pretty && io.env.NO_COLOR === undefined;
  const log = createLog({ clock }, { level: options.logLevel, pretty, color });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const plan = await preparePlan(options.topology, runtime, io);
  refuseThreads(plan, instances);
  telemetry.event('started', {
    topology: plan.topology.name,
    model: plan.bundle.label,
    instance: io.instance,
    ...(instances > 1 && { instances }),
  });
  const cores = Math.max(1, Math.floor((io.cores ?? 1) / instances));
  const memory = memoryOf(plan, cores);
  const of = instances > 1 ? `${instances} × (${memoryTerms(memory)})` : memoryTerms(memory);
  telemetry.event('memory-bound', { bytes: instances * memory.bytes, of });
  if (options.dry) return dryRun(plan, runtime, telemetry, io);
  const metrics = createProcessMetrics({ clock, telemetry });
  const letters = keepLetters({ clock, telemetry });
  let running: Running | undefined;
  const health = (): Health => running?.health() ?? STARTING;
  const parts = onePart(telemetry, letters, health);
  const watched = {
    clock,
    metrics: { snapshot: () => (running?.metrics ?? telemetry).snapshot() },
    parts: () => (running?.parts ?? parts)(),
    health,
    topology: plan.topology.name,
  };
  const admin = options.listen && (await serve(watched, options.listen));
  if (admin) telemetry.event(isLoopBack(options.listen?.host) ? 'listening' : 'listening-openly', { url: admin.url });
  running = instances > 1 ? several(plan, { ...options, instances, cores, pretty, color }, telemetry, io) : one();
  const { stop, abort, ended } = running;
  const forget = endOnSignal({ stop, abort }, telemetry, io);
  try {
    return await ended;
  } finally {
    forget();
    if (admin) await admin.close();
    metrics.close();
  }

  function one(): Running {
    const { ended, ...rest } = startPlan(plan, runtime, telemetry, io);
    return { ...rest, parts, metrics: telemetry, ended: ended.then((outcome) => conclude(outcome, telemetry)) };
  }
}

/** Two threads of a process that use WebGPU at once crash it: see src/topology/device-rules.ts. */
function refuseThreads({ topology }: Plan, instances: number): void {
  const { device, isolation } = topology.model;
  if (instances === 1 || device !== 'webgpu' || isolation === 'process') return;
  throw new SluiceError(
    'usage-invalid',
    `--instances ${instances} are threads, and model.device: webgpu can be used by one thread of a process only; start as many processes, or write isolation: process`,
  );
}

function several(plan: Plan, options: Parameters<typeof startInstances>[1], telemetry: MetricStore, io: Io): Running {
  const fleet = startInstances(plan, options, telemetry, io);
  const { stop, abort, health, parts } = fleet;
  return { stop, abort, health, parts, metrics: fleet, ended: codeOf(fleet).finally(() => telemetry.flush()) };
}

/** Connects to everything, reports what is wrong, and disconnects. */
async function dryRun(plan: Plan, runtime: ModelRuntime, telemetry: MetricStore, io: Io): Promise<number> {
  let signalled: () => void = () => undefined;
  const stopping = new Promise<undefined>((resolve) => {
    signalled = () => resolve(undefined);
  });
  const forget = endOnSignal({ stop: signalled, abort: signalled }, telemetry, io);
  try {
    const world = await Promise.race([createWorld(plan, runtime, telemetry, io, { register: false }), stopping]);
    if (world !== undefined) {
      const { sink, store, session, smaller } = world;
      await Promise.all([sink.close(), store.close(), session.close(), smaller?.session.close()]);
      telemetry.event('dry-run-passed', { topology: plan.topology.name });
    }
    return conclude(NOTHING_DONE, telemetry);
  } finally {
    forget();
  }
}

/** A second Ctrl-C means that a person will not wait; a second SIGTERM (systemd, an impatient script) means nothing new. */
function endOnSignal({ stop, abort }: Pick<Running, 'stop' | 'abort'>, telemetry: MetricStore, io: Io): () => void {
  let interrupted = false;
  return io.onSignal((signal) => {
    telemetry.event('signal', { signal });
    stop();
    if (signal === 'SIGINT' && interrupted) abort();
    interrupted ||= signal === 'SIGINT';
  });
}

const STARTING: Health = { live: true, ready: false, reason: 'starting' };
