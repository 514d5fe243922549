import { createAdmin } from '../adapters/http/admin.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { createExposition } from '../adapters/prometheus/exposition.ts';
import { createProcessMetrics } from '../adapters/prometheus/process.ts';
import { assemble } from '../assemble.ts';
import type { Runner, RunOutcome } from '../runner.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { conclude } from './conclude.ts';
import type { Io } from './io.ts';
import { memoryOf, memoryTerms } from './memory.ts';
import { preparePlan } from './prepare.ts';
import { createWorld } from './world.ts';

export interface RunOptions {
  readonly topology: string;
  /** Check and connect, then stop. */
  readonly dry: boolean;
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** JSON lines instead of lines for people. */
  readonly json: boolean;
}

/** `sluice run`: the production processor. Resolves with the exit code when it was told to stop, or failed. */
export async function run(options: RunOptions, io: Io): Promise<number> {
  const { clock } = io;
  const pretty = !options.json && io.stderr.isTTY === true;
  const log = createLog({ clock }, { level: options.logLevel, pretty, color: pretty && io.env.NO_COLOR === undefined });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const plan = await preparePlan(options.topology, runtime, io);
  telemetry.event('started', { topology: plan.topology.name, model: plan.bundle.label, instance: io.instance });
  const memory = memoryOf(plan);
  telemetry.event('memory-bound', { bytes: memory.bytes, of: memoryTerms(memory) });
  let runner: Runner | undefined;
  const metrics = createProcessMetrics({ clock, telemetry });
  const admin =
    options.listen &&
    !options.dry &&
    (await createAdmin(
      { clock, metrics: createExposition({ clock, telemetry }), health: () => runner?.health() ?? CONNECTING },
      options.listen,
    ));
  if (admin) telemetry.event('listening', { url: admin.url });
  let signalled: () => void = () => undefined;
  const stopping = new Promise<undefined>((resolve) => {
    signalled = () => resolve(undefined);
  });
  let interrupted = false;
  const forget = io.onSignal((signal) => {
    telemetry.event('signal', { signal });
    runner?.stop();
    // Who presses Ctrl-C twice will not wait; whoever sends SIGTERM twice (systemd, an impatient script) has said nothing new.
    if (signal === 'SIGINT' && interrupted) runner?.abort();
    interrupted ||= signal === 'SIGINT';
    signalled();
  });
  const end = async (): Promise<void> => {
    forget();
    if (admin) await admin.close();
    metrics.close();
  };
  try {
    // A signal while there is nothing under way yet ends the wait for whatever does not answer.
    const world = await Promise.race([createWorld(plan, runtime, telemetry, io, { register: !options.dry }), stopping]);
    if (world === undefined) return conclude(NOTHING_DONE, telemetry);
    if (options.dry) {
      await Promise.all([
        world.sink.close(),
        world.store.close(),
        world.session.close(),
        world.smaller?.session.close(),
      ]);
      telemetry.event('dry-run-passed', { topology: plan.topology.name });
      return conclude(NOTHING_DONE, telemetry);
    }
    runner = assemble(plan, world);
    return conclude(await runner.run(), telemetry);
  } finally {
    await end();
  }
}

const CONNECTING = { live: true, ready: false, reason: 'connecting to broker, registry and store' };
const NOTHING_DONE: RunOutcome = { result: 'done', error: undefined, unsettledRecords: 0 };
