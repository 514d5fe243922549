import { createIsolatedRuntime } from '../../adapters/onnx/isolated.ts';
import { libraryHints } from '../../adapters/onnx/library-search.ts';
import { onDevice } from '../../adapters/onnx/providers.ts';
import { createThreadedRuntime } from '../../adapters/onnx/threaded.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelLoad, ModelRuntime, ModelSession } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { cheapestRows } from './part-rows.ts';
import { fullBatch, place } from './placement.ts';

export interface LoadModelDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Runs models on this thread. */
  readonly runtime: ModelRuntime;
  /** Cores for the model's threads and the pipeline's; default one. */
  readonly cores?: number;
  /** Environment of this process, which may say where GPU libraries are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Loads the bundle's model as the topology asks, and logs which model, where and on what device. */
export async function loadModel(plan: Plan, deps: LoadModelDeps): Promise<ModelSession> {
  const { telemetry } = deps;
  const { bundle, topology } = plan;
  const { device, deviceIds, isolation, runTimeoutMs, maxBytes } = topology.model;
  const load: ModelLoad = {
    file: bundle.modelFile,
    device,
    deviceIds,
    libraries: libraryHints(deps.env ?? {}),
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
    pinned: bundle.modelFiles,
  };
  const session =
    isolation === 'none'
      ? await loadHere(plan, load, deps)
      : await createIsolatedRuntime(deps, { runTimeoutMs, maxBytes }).load(load);
  if (isolation !== 'none') telemetry.gauge('sluice_model_placement', { placement: 'process' }, () => 1);
  const { devices = [session.device] } = session;
  for (const each of devices) telemetry.gauge('sluice_model_device', { device: each }, () => 1);
  const { name, version, digest } = bundle;
  telemetry.gauge('sluice_model_info', { model: name, version, digest: digest.slice(0, 12) }, () => 1);
  telemetry.event('model-loaded', { model: bundle.label, device: devices.join(', '), isolation });
  return session;
}

/** In this process, on this thread or in the model's own threads. */
async function loadHere(
  plan: Plan,
  load: ModelLoad,
  { clock, telemetry, runtime, cores = 1 }: LoadModelDeps,
): Promise<ModelSession> {
  const inline = await runtime.load(load);
  try {
    const { placement, sessions, because, maxRows, tried } = await place(plan, inline, load, { clock, cores });
    telemetry.gauge('sluice_model_placement', { placement }, () => 1);
    const full = fullBatch(plan);
    const partRows = placement === 'thread' ? await cheapestRows(inline, load, clock, { full, tried }) : undefined;
    telemetry.event('model-placed', { model: plan.bundle.label, placement, because, sessions, maxRows, partRows });
    if (placement === 'inline') return maxRows === undefined ? inline : { ...inline, maxRows };
    // Closed before the others are made: it may occupy GPU memory that they need.
    await inline.close();
    const found = onDevice(load, inline.device);
    const { deviceIds = found.deviceIds } = load;
    return await createThreadedRuntime({ telemetry }, { sessions }).load({ ...found, deviceIds, partRows });
  } catch (thrown) {
    await inline.close();
    throw thrown;
  }
}
