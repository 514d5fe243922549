import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { EXIT } from '../kernel/errors.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import type { Io } from './io.ts';
import { preparePlan } from './prepare.ts';
import { type Assumptions, judge } from './tune/judge.ts';
import { measure } from './tune/measure.ts';
import { textOf } from './tune/text.ts';

export interface TuneOptions extends Assumptions {
  readonly topology: string;
  /** JSON Lines of events, instead of the bundle's golden records. */
  readonly input: string | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/**
 * `sluice tune`: measures this machine and this model offline, and reports the highest rate that keeps the latency budget, what limits
 * it, what it costs, and what to change. What it cannot measure (the store, the network to the broker) is assumed, and marked
 * as such in the report.
 */
export async function tune(options: TuneOptions, io: Io): Promise<number> {
  const { clock, stderr, stdout } = io;
  const log = createLog({ clock }, { level: 'error', pretty: true });
  const telemetry = () => createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry: telemetry() });
  const plan = await preparePlan(options.topology, runtime, io);
  let stopped = false;
  const forget = io.onSignal((signal) => {
    if (!stopped) stderr.write(`${signal}: no further measurements\n`);
    stopped = true;
  });
  try {
    const measured = await measure(plan, options, {
      clock,
      random: io.random,
      telemetry,
      runtime,
      cores: io.cores ?? 1,
      cpuUs: () => {
        const { user, system } = process.cpuUsage();
        return user + system;
      },
      say: (line) => void stderr.write(`${line}\n`),
      stop: () => stopped,
    });
    const report = judge(plan, measured, options);
    stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
    return EXIT.done;
  } finally {
    forget();
  }
}
