import { EXIT, exitCodeOf } from '../kernel/errors.ts';
import type { RunOutcome } from '../runner.ts';
import type { MetricStore } from '../telemetry/metrics.ts';

/** Logs how a run ended, and returns its exit code. */
export function conclude(outcome: RunOutcome, telemetry: MetricStore): number {
  const { result, error, unsettledRecords } = outcome;
  telemetry.event('stopped', { result, unsettledRecords });
  telemetry.flush();
  if (result === 'failed' && error !== undefined) return exitCodeOf(error);
  return result === 'drain-budget' ? EXIT.drainBudget : EXIT.done;
}
