import * as ort from 'onnxruntime-node';
import { sha256OfFile } from '../../kernel/bytes/file-sha256.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { ModelLoad, ModelRuntime, ModelSession } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { adviceOn } from './cuda.ts';
import { thisMachine } from './library-search.ts';
import { loadProblem } from './load-error.ts';
import { type Candidate, labelOf, providersFor } from './providers.ts';
import { createSession, specOf } from './session.ts';
import { zeros } from './zero-inputs.ts';

const WARM_UP_RUNS = 3;

/**
 * ONNX Runtime behind the model port.
 *
 * `session.run()` is one native call that blocks this thread, on a GPU too (cause) → heartbeats and fetches stand still meanwhile
 * (effect) → batches must stay short (guard: the batcher's budget; slower models belong on threads of their own). One thread per
 * session unless more are requested: they would spin on cores that decode and the Kafka client need.
 */
export function createOnnxRuntime(deps: { readonly telemetry: Telemetry }): ModelRuntime {
  return {
    async inspect(file) {
      // Unoptimised: nothing of the graph is computed beforehand, so that reading the signature runs no part of the model.
      const session = await open(file, 'cpu', 'disabled');
      try {
        return { inputs: session.inputMetadata.map(specOf), outputs: session.outputMetadata.map(specOf) };
      } finally {
        await session.release();
      }
    },
    load: (options) => loadOnDevice(options, deps.telemetry),
  };
}

async function open(
  file: string,
  device: string,
  graphOptimizationLevel: 'all' | 'disabled',
  { threads = 1, deviceIds = [] }: Pick<ModelLoad, 'threads' | 'deviceIds'> = {},
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      // A number is refused where the device has none.
      executionProviders: [deviceIds.length === 0 ? device : { name: device as 'cuda', deviceId: deviceIds[0] }],
      graphOptimizationLevel,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Errors come back as exceptions; printed by native code as well, they would stand among the lines of a JSON log.
      logSeverityLevel: 4,
    });
  } catch (thrown) {
    throw new SluiceError(
      'bundle-invalid',
      `ONNX Runtime cannot load ${file} on ${labelOf(device, deviceIds)}: ${loadProblem(file, (thrown as Error).message)}`,
      thrown,
    );
  }
}

/** Tries the devices in order; `auto` may fall back, and reports it; a device named explicitly may not. */
async function loadOnDevice(options: ModelLoad, telemetry: Telemetry): Promise<ModelSession> {
  const named = options.device !== 'auto';
  for (const candidate of candidatesFor(options)) {
    const { device, available, why, meant, report } = candidate;
    if (!available) {
      if (named) throw unavailable(device, why);
      telemetry.event(meant ? 'device-fallback' : 'device-skipped', { device, reason: why });
      continue;
    }
    const label = labelOf(device, options.deviceIds);
    try {
      const session = createSession(await openUnchanged(options, device), label, options);
      await warmUp(session, options);
      return session;
    } catch (thrown) {
      if (device === 'cpu' || classify(thrown).code === 'file-failed') throw thrown;
      const reason = adviceOn((thrown as Error).message, report);
      // The check has read the file on the CPU: what fails here is the device.
      if (named) throw unavailable(label, reason, thrown);
      telemetry.event('device-fallback', { device, reason });
    }
  }
  throw new SluiceError('device-unavailable', `no device can run ${options.file}`);
}

function candidatesFor({ device, libraries }: ModelLoad): readonly Candidate[] {
  return providersFor(device, thisMachine(libraries));
}

/**
 * A file may be replaced between its check and its loading, or before an isolated model is loaded again (cause) → predictions would
 * carry the digest of a model that did not make them (effect) → the bytes are hashed after they have been read (guard).
 * Limit: weights in separate files are mapped, not copied: replace files by renaming, never write into them.
 */
async function openUnchanged(options: ModelLoad, device: string): Promise<ort.InferenceSession> {
  let session: ort.InferenceSession | undefined;
  try {
    session = await open(options.file, device, 'all', options);
    refuseChanged(options);
    return session;
  } catch (thrown) {
    await session?.release();
    // A file that is half written fails to load for no fault of its own.
    refuseChanged(options);
    throw thrown;
  }
}

function refuseChanged({ pinned = [] }: ModelLoad): void {
  for (const { file, sha256 } of pinned) {
    const remedy = 'give a changed model a version of its own, or restart to serve it under its own digest';
    let found: string;
    try {
      found = sha256OfFile(file);
    } catch (thrown) {
      throw new SluiceError(
        'file-failed',
        `${file} is no longer to be read: ${(thrown as Error).message}; ${remedy}`,
        thrown,
      );
    }
    if (found === sha256) continue;
    throw new SluiceError(
      'file-failed',
      `${file} has changed since it was checked (sha256 ${found.slice(0, 12)}, not ${sha256.slice(0, 12)}): the model file changed under a running pipeline; ${remedy}`,
    );
  }
}

function unavailable(device: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'device-unavailable',
    `model.device is ${device}, which is not available: ${why}; make it available, or set model.device to auto or cpu`,
    cause,
  );
}

/** The first runs allocate and choose kernels: do that before the first record waits. A session that fails is closed. */
async function warmUp(session: ModelSession, load: ModelLoad): Promise<void> {
  const slabs = zeros(load, 1);
  try {
    for (let n = 0; n < WARM_UP_RUNS; n++) await session.run(slabs, 1);
  } catch (thrown) {
    await session.close();
    const why = (thrown as Error).message;
    throw new SluiceError(
      'bundle-invalid',
      `${load.file} cannot score a row of zeros on ${session.device}: ${why}`,
      thrown,
    );
  }
}
