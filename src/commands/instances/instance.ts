/**
 * The thread of one of several pipelines in a process. It has its own plan, connections, model session, event loop and heap, and shares
 * only the process. The main thread handles signals, HTTP and metrics, and exchanges messages with it: orders one way, health and
 * counts the other. Its end is a message too, after which the thread is abandoned: whatever hangs past the drain budget ends
 * with the process.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { createThreadMetrics } from '../../adapters/prometheus/process.ts';
import type { Timer } from '../../kernel/clock.ts';
import { classify, exitCodeOf } from '../../kernel/errors.ts';
import { createProcessorLoad } from '../../kernel/processor-load.ts';
import { createRandom } from '../../kernel/random.ts';
import { createSystemClock } from '../../kernel/system-clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import { shareOf } from '../../telemetry/merge.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { keepLetters } from '../../telemetry/state/dead-letters.ts';
import { conclude } from '../conclude.ts';
import type { Io } from '../io.ts';
import { preparePlan } from '../prepare.ts';
import { startPlan } from '../run-plan.ts';
import type { InstanceData, Order, Report } from './messages.ts';

const HEALTH_EVERY_MS = 250;

async function runInstance(data: InstanceData, port: NonNullable<typeof parentPort>): Promise<void> {
  const clock = createSystemClock();
  const { index, instance, env, logLevel, pretty, color } = data;
  const log = numbered(createLog({ clock }, { level: logLevel, pretty, color }), index);
  const telemetry = createTelemetry({ clock, log });
  const letters = keepLetters({ clock, telemetry });
  const metrics = createThreadMetrics({ clock, telemetry });
  const runtime = createOnnxRuntime({ telemetry });
  const io: Io = {
    env,
    clock,
    random: createRandom(data.seed),
    cores: data.cores,
    processorLoad: createProcessorLoad({ clock }, data.processCores),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    instance,
    onSignal: () => () => undefined,
  };
  let next: Timer | undefined;
  const tell = (report: Report): void => port.postMessage(report);
  try {
    // The main thread has made the same plan from the same files, and has reported the findings.
    const plan = await preparePlan(data.topology, runtime, { env, stderr: SILENT });
    const run = startPlan(plan, runtime, telemetry, io);
    port.on('message', (order: Order) => {
      if (order === 'stop') run.stop();
      else if (order === 'abort') run.abort();
      else tell({ kind: 'share', share: shareOf(telemetry), letters: letters() });
    });
    const beat = (): void => {
      tell({ kind: 'health', health: run.health() });
      next = clock.after(HEALTH_EVERY_MS, beat);
    };
    beat();
    const code = conclude(await run.ended, telemetry);
    tell({ kind: 'ended', code, share: shareOf(telemetry), thrown: undefined });
  } catch (thrown) {
    const error = classify(thrown);
    telemetry.event('failed', { code: error.code, reason: error.message });
    telemetry.flush();
    const { code, message } = error;
    tell({ kind: 'ended', code: exitCodeOf(error), share: shareOf(telemetry), thrown: { code, message } });
  } finally {
    next?.cancel();
    metrics.close();
    // With nothing left to wait for, the thread exits.
    port.close();
  }
}

const SILENT = { write: () => true } as unknown as NodeJS.WritableStream;

/** Adds the instance's number to every line. */
function numbered(log: Log, instance: number): Log {
  return { log: (level, message, fields) => log.log(level, message, { instance, ...fields }) };
}

if (!isMainThread && parentPort !== null) void runInstance(workerData as InstanceData, parentPort);
