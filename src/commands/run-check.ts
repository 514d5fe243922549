import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { replayGolden } from './check/golden-records.ts';
import { check } from './check.ts';
import type { Io } from './io.ts';
import { memoryOf } from './memory.ts';

/** `sluice check`: reads files only, no network. Resolves with the exit code. */
export function runCheck(options: { readonly topology: string; readonly json: boolean }, io: Io): Promise<number> {
  const log = createLog({ clock: io.clock }, { level: 'warn' });
  const runtime = createOnnxRuntime({ telemetry: createTelemetry({ clock: io.clock, log }) });
  return check(options, {
    env: io.env,
    runtime,
    stdout: (text) => void io.stdout.write(text),
    stderr: (text) => void io.stderr.write(text),
    memory: (plan) => memoryOf(plan, io.cores),
    replay: (plan, golden) => replayGolden(plan, golden, runtime),
  });
}
