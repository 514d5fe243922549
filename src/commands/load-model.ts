import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime, ModelSession } from '../ports/model.ts';
import type { Telemetry } from '../ports/telemetry.ts';

/** Loads the bundle's model and says which, and on what device, in the metrics. */
export async function loadModel(plan: Plan, runtime: ModelRuntime, telemetry: Telemetry): Promise<ModelSession> {
  const { bundle, topology } = plan;
  const session = await runtime.load({
    file: bundle.modelFile,
    device: topology.model.device,
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
    pinned: bundle.modelFiles,
  });
  telemetry.gauge('sluice_model_device', { device: session.device }, () => 1);
  const { name, version, digest } = bundle;
  telemetry.gauge('sluice_model_info', { model: name, version, digest: digest.slice(0, 12) }, () => 1);
  telemetry.event('model-loaded', { model: bundle.label, device: session.device });
  return session;
}
