import { createAdmin } from '../adapters/http/admin.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { createExposition } from '../adapters/prometheus/exposition.ts';
import { createProcessMetrics } from '../adapters/prometheus/process.ts';
import { assemble } from '../assemble.ts';
import { EXIT } from '../kernel/errors.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { conclude } from './conclude.ts';
import type { Io } from './io.ts';
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
  const world = await createWorld(plan, runtime, telemetry, io);
  if (options.dry) {
    await Promise.all([world.sink.close(), world.store.close(), world.session.close()]);
    telemetry.event('stopped', { result: 'dry' });
    return EXIT.done;
  }
  const runner = assemble(plan, world);
  const metrics = createProcessMetrics({ clock, telemetry });
  const admin =
    options.listen &&
    (await createAdmin(
      { metrics: createExposition({ clock, telemetry }), health: () => runner.health() },
      options.listen,
    ));
  if (admin) telemetry.event('listening', { url: admin.url });
  const forget = io.onSignal((signal) => {
    telemetry.event('signal', { signal });
    runner.stop();
  });
  const outcome = await runner.run();
  forget();
  await admin?.close();
  metrics.close();
  return conclude(outcome, telemetry);
}
