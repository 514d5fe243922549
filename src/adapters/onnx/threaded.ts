import type { ModelLoad, ModelRuntime } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type ModelThread, startModelThread } from './model-thread.ts';
import { createSessionPool, type PoolMember } from './pool.ts';
import { onDevice } from './providers.ts';
import { createOnnxRuntime } from './runtime.ts';

export interface ThreadedDeps {
  readonly telemetry: Telemetry;
  /** What a thread runs instead of thread.ts; for tests. */
  readonly entry?: URL;
  /** Loads the model in a thread; tests have devices of their own. */
  readonly start?: (load: ModelLoad) => Promise<ModelThread>;
}

export interface ThreadedOptions {
  /** Threads, each with a session of its own: runs that go on at once. They are dealt out to `deviceIds`, one after the other. */
  readonly sessions: number;
}

/**
 * ONNX Runtime in threads of their own, behind the model port: for models whose runs take milliseconds.
 *
 * Promises: the thread of the pipeline never waits for the model, so heartbeats, fetches and metrics go on; up to `concurrency` runs
 * at once, further ones wait in order of arrival; errors are those of the inline session. If a thread ends by itself, its run and
 * all later ones fail with `device-failed`, because no row can end a thread without ending the process.
 * Limits: a hanging run cannot be ended, and `close` waits for it; a native crash ends the process. For such models there is
 * isolated.ts. Tensors are copied twice, large ones once.
 */
export function createThreadedRuntime(deps: ThreadedDeps, options: ThreadedOptions): ModelRuntime {
  return {
    inspect: (file) => createOnnxRuntime(deps).inspect(file),
    async load(load) {
      const threads = await startThreads(deps, options, load);
      return createSessionPool(threads.map(memberOf));
    },
  };
}

/** One after the other: a load takes a core, and memory, for itself. */
async function startThreads(
  { telemetry, entry, start = (load) => startModelThread(load, { telemetry, entry }) }: ThreadedDeps,
  { sessions }: ThreadedOptions,
  load: ModelLoad,
): Promise<readonly ModelThread[]> {
  const { deviceIds = [] } = load;
  const threads: ModelThread[] = [];
  try {
    for (let n = 0; n < sessions; n++) {
      // Devices by number are what was asked for; anything else is on what the first one found.
      if (deviceIds.length > 0) threads.push(await start({ ...load, deviceIds: [deviceIds[n % deviceIds.length]] }));
      else threads.push(await start(n === 0 ? load : onDevice(load, threads[0].device)));
    }
  } catch (thrown) {
    await Promise.all(threads.map((thread) => thread.end()));
    throw thrown;
  }
  return threads;
}

function memberOf(thread: ModelThread): PoolMember {
  const { device, inputs, outputs } = thread;
  return { device, inputs, outputs, run: (slabs, rows) => thread.run(slabs, rows), close: () => thread.end() };
}
