import { assemble } from '../assemble.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime } from '../ports/model.ts';
import type { Health, Runner, RunOutcome } from '../runner.ts';
import type { MetricStore } from '../telemetry/metrics.ts';
import type { Io } from './io.ts';
import { createWorld } from './world/world.ts';

export interface PlanRun {
  /** Resolves when the run was stopped and has drained, or has failed; rejects if its world could not be made. */
  readonly ended: Promise<RunOutcome>;
  health(): Health;
  /** Begins to drain; before the start, ends the wait for dependencies. */
  stop(): void;
  /** Ends at once. */
  abort(): void;
}

const CONNECTING: Health = { live: true, ready: false, reason: 'connecting to broker, registry and store' };
export const NOTHING_DONE: RunOutcome = { result: 'done', error: undefined, unsettledRecords: 0 };

/** Makes a plan's world and runs the pipeline in it. */
export function startPlan(plan: Plan, runtime: ModelRuntime, telemetry: MetricStore, io: Io): PlanRun {
  let runner: Runner | undefined;
  let stopped: () => void = () => undefined;
  const stopping = new Promise<undefined>((resolve) => {
    stopped = () => resolve(undefined);
  });
  async function run(): Promise<RunOutcome> {
    const world = await Promise.race([createWorld(plan, runtime, telemetry, io), stopping]);
    if (world === undefined) return NOTHING_DONE;
    runner = assemble(plan, world);
    return runner.run();
  }
  return {
    ended: run(),
    health: () => runner?.health() ?? CONNECTING,
    stop() {
      runner?.stop();
      stopped();
    },
    abort: () => runner?.abort(),
  };
}
