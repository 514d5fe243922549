import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { ModelLoad, ModelOutput, ModelRuntime, ModelSession } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type ModelThread, startModelThread } from './model-thread.ts';
import { createOnnxRuntime } from './runtime.ts';

export interface ThreadedDeps {
  readonly telemetry: Telemetry;
  /** What a thread runs, if not thread.ts; tests look over its shoulder. */
  readonly entry?: URL;
}

export interface ThreadedOptions {
  /** Threads, each with a session of its own: runs that go on at once. */
  readonly sessions: number;
}

/**
 * ONNX Runtime in threads of their own, behind the model port: for models whose runs take milliseconds.
 *
 * Promises: the thread of the pipeline never waits for the model, so heartbeats, fetches and metrics go on; up to
 * `concurrency` runs at once, more wait in the order they came; errors are those of the inline session. A thread that ends by
 * itself fails its run with `device-failed`, and those that follow: nothing that a row does ends a thread and not the process.
 * Limits: a run that hangs cannot be ended, and neither `close` nor the thread is over before it; a native crash is the
 * end of the process. For such models there is isolated.ts. Two copies of the tensors, one of a large one.
 */
export function createThreadedRuntime(deps: ThreadedDeps, options: ThreadedOptions): ModelRuntime {
  return {
    inspect: (file) => createOnnxRuntime(deps).inspect(file),
    load: (load) => loadThreads(deps, options, load),
  };
}

async function loadThreads(deps: ThreadedDeps, { sessions }: ThreadedOptions, load: ModelLoad): Promise<ModelSession> {
  const first = await startModelThread(load, deps);
  const threads: ModelThread[] = [first];
  const { device, inputs, outputs } = first;
  const end = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.end()));
  };
  try {
    // On the device that the first one found, and one after the other: a load takes a core, and memory, for itself.
    const same = { ...load, device: device as ModelLoad['device'] };
    while (threads.length < sessions) threads.push(await startModelThread(same, deps));
  } catch (thrown) {
    await end();
    throw thrown;
  }
  const idle = [...threads];
  const waiting: ((thread: ModelThread) => void)[] = [];
  let closed = false;

  function take(): Promise<ModelThread> | ModelThread {
    return idle.pop() ?? new Promise((resolve) => waiting.push(resolve));
  }

  function giveBack(thread: ModelThread): void {
    const next = waiting.shift();
    if (next === undefined) idle.push(thread);
    else next(thread);
  }

  async function run(slabs: readonly Tensor[], rows: number): Promise<readonly ModelOutput[]> {
    if (closed) throw afterTheEnd();
    const taken = take();
    const thread = 'run' in taken ? taken : await taken;
    try {
      if (closed) throw afterTheEnd();
      return await thread.run(slabs, rows);
    } finally {
      giveBack(thread);
    }
  }

  return {
    device,
    inputs,
    outputs,
    concurrency: threads.length,
    run,
    async close() {
      closed = true;
      await end();
    },
  };
}

/** No record is at fault for the end of the session. */
function afterTheEnd(): SluiceError {
  return new SluiceError('invariant-broken', 'the model ran after its session was closed');
}
