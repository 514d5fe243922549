import { createIsolatedRuntime } from '../adapters/onnx/isolated.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime, ModelSession } from '../ports/model.ts';
import type { Telemetry } from '../ports/telemetry.ts';

export interface LoadModelDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Runs models on this thread. */
  readonly runtime: ModelRuntime;
}

/** Loads the bundle's model where the topology wants it, and says which, and on what device, in the metrics. */
export async function loadModel(plan: Plan, deps: LoadModelDeps): Promise<ModelSession> {
  const { telemetry } = deps;
  const { bundle, topology } = plan;
  const { device, isolation, runTimeoutMs, maxBytes } = topology.model;
  const runtime = isolation === 'none' ? deps.runtime : createIsolatedRuntime(deps, { runTimeoutMs, maxBytes });
  const session = await runtime.load({
    file: bundle.modelFile,
    device,
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
    pinned: bundle.modelFiles,
  });
  telemetry.gauge('sluice_model_device', { device: session.device }, () => 1);
  const { name, version, digest } = bundle;
  telemetry.gauge('sluice_model_info', { model: name, version, digest: digest.slice(0, 12) }, () => 1);
  telemetry.event('model-loaded', { model: bundle.label, device: session.device, isolation });
  return session;
}
