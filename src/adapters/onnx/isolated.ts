import { type Clock, pause, type Timer } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { classify, type ErrorCode, SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { ModelLoad, ModelOutput, ModelRuntime, ModelSession, TensorSpec } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type Answer, Ended, type ModelProcess, startModelProcess } from './model-process.ts';
import { onDevice } from './providers.ts';
import { createOnnxRuntime } from './runtime.ts';
import { bytesOf, KIND, type LoadQuestion, message, outputsOf, textMessage, textOf } from './wire.ts';

export interface IsolatedDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Makes the process; tests look over its shoulder. */
  readonly start?: () => ModelProcess;
}

export interface IsolatedOptions {
  /** A run that has not answered by then hangs. */
  readonly runTimeoutMs: number;
  /** Resident memory at which the process of the model ends itself; 0: no limit. */
  readonly maxBytes: number;
}

/** A first load may build kernels for a GPU and read gigabytes. */
const LOAD_TIMEOUT_MS = 300_000;
/** Later loads: they are known to work, and records wait for them. */
const RELOAD_TIMEOUT_MS = 60_000;
const RELOAD_SLOWDOWN = 10;
/** How long a killed process may take to disappear: only then is its memory on a device free. */
const GONE_WITHIN_MS = 5_000;
const ATTEMPTS = 5;
const FIRST_BACKOFF_MS = 250;
/** During a search for the row at fault, the time-out of a run of several rows, in multiples of the longest successful run. */
const SEARCH_SLOWDOWN = 20;
const SEARCH_TIMEOUT_MS = 1_000;
/** The watchdog counts ticks, so that a pause of the pipeline itself is not taken for a hang of the model. */
const TICKS = 4;

/**
 * ONNX Runtime in a process of its own, behind the model port: for models that may hang, crash, or take all the memory.
 *
 * Promises: a run ends after `runTimeoutMs`, whatever the model does; a process that hangs or ends is replaced, on the same device and
 * with the same bytes, and counted; if that fails five times, runs are refused with `device-failed`, or at once with `file-failed` if
 * the file has changed. The pipeline's thread never waits for the model, so heartbeats go on.
 * Limits: tensors are copied once each way; it takes about the memory of another idle Node process.
 */
export function createIsolatedRuntime(deps: IsolatedDeps, options: IsolatedOptions): ModelRuntime {
  return {
    inspect: (file) => createOnnxRuntime(deps).inspect(file),
    load: (load) => loadIsolated(deps, options, load),
  };
}

interface Loaded {
  readonly device: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

async function loadIsolated(deps: IsolatedDeps, options: IsolatedOptions, load: ModelLoad): Promise<ModelSession> {
  const { clock, telemetry, start = startModelProcess } = deps;
  const { runTimeoutMs, maxBytes } = options;
  const widths = load.feeds.map(({ rowShape }) => rowShape.reduce((a, b) => a * b, 1));
  /** The process that serves, or that is being made ready; undefined between two attempts. */
  let process: ModelProcess | undefined;
  let serving: Promise<unknown> = Promise.resolve();
  let closed = false;
  let running = false;
  let longestMs = 0;
  /** Starts that failed, and processes that ended with nothing to do, since the last run. */
  let inVain = 0;
  let loadTimeoutMs = LOAD_TIMEOUT_MS;

  /** A process with the model in it; on failure there is none. */
  async function open(asked: ModelLoad): Promise<Loaded> {
    const made = start();
    process = made;
    try {
      const question: LoadQuestion = { load: asked, maxBytes };
      const answer = await watched(made, textMessage(KIND.load, question), loadTimeoutMs);
      const { events, ...loaded } = textOf(answer.body) as Loaded & { readonly events: readonly Said[] };
      for (const { name, fields } of events) telemetry.event(name, fields);
      if (answer.kind === KIND.failed) throw failureOf(answer);
      void made.ended.then(({ reason, how }) => replace(made, reason, how));
      return loaded;
    } catch (thrown) {
      process = undefined;
      made.kill();
      if (thrown instanceof Ended || thrown instanceof Hung) {
        const { message: why } = thrown;
        throw new SluiceError(
          'device-failed',
          `the process that loads ${asked.file} did not get through: ${why}`,
          thrown,
        );
      }
      throw thrown;
    }
  }

  /** Ends a process that serves and begins with the next one; does nothing for one that is replaced already. */
  function replace(old: ModelProcess, reason: 'hung' | 'crashed' | 'memory', how: string): void {
    if (process !== old || closed) return;
    process = undefined;
    telemetry.counter('sluice_model_restarts_total', { reason }).add(1);
    telemetry.event('model-restarting', { reason, pid: old.pid, how });
    old.kill();
    // A run that ends its process is the run's doing; a process that ends by itself may do so for ever.
    inVain = running ? 0 : inVain + 1;
    serving = reopen(old, how);
    // Whoever runs next is told.
    serving.catch(() => undefined);
  }

  async function reopen(old: ModelProcess, how: string): Promise<void> {
    await within(clock, deadlineIn(clock, GONE_WITHIN_MS), old.ended);
    for (let why = how; ; ) {
      if (inVain >= ATTEMPTS) {
        throw new SluiceError(
          'device-failed',
          `the model could not be started again, ${inVain} times in a row: ${why}; look at memory and device, and restart`,
        );
      }
      if (inVain > 0) await pause(clock, FIRST_BACKOFF_MS * 2 ** (inVain - 1));
      if (closed) throw afterTheEnd();
      try {
        await open(onDevice(load, first.device));
        telemetry.event('model-restarted', { pid: process?.pid, device: first.device });
        return;
      } catch (thrown) {
        const error = classify(thrown);
        if (closed || error.code === 'file-failed') throw error;
        inVain++;
        why = error.message;
        telemetry.counter('sluice_model_restarts_total', { reason: 'start-failed' }).add(1);
        telemetry.event('model-restarting', { reason: 'start-failed', how: why });
      }
    }
  }

  /** The answer, or `Hung`. */
  async function watched(asked: ModelProcess, pieces: readonly Uint8Array[], limitMs: number): Promise<Answer> {
    let timer: Timer | undefined;
    const watchdog = new Promise<never>((_, reject) => {
      const tick = (left: number): void => {
        timer = clock.after(limitMs / TICKS, () => (left > 1 ? tick(left - 1) : reject(new Hung(limitMs))));
      };
      tick(TICKS);
    });
    try {
      return await Promise.race([asked.ask(pieces), watchdog]);
    } finally {
      timer?.cancel();
    }
  }

  async function run(slabs: readonly Tensor[], rows: number, searching = false): Promise<readonly ModelOutput[]> {
    if (closed) throw afterTheEnd();
    await serving;
    const asked = process;
    if (asked === undefined) throw afterTheEnd();
    const parts = slabs.map((slab, k) => bytesOf(slab, rows * widths[k]));
    // Who is about to be blamed has all the time that anybody has; the way there is shorter.
    const limitMs = searching && rows > 1 ? searchTimeoutMs() : runTimeoutMs;
    const startedMs = clock.monotonicMs();
    running = true;
    let answer: Answer;
    try {
      answer = await watched(asked, message(KIND.run, rows, parts), limitMs);
    } catch (thrown) {
      if (closed) throw afterTheEnd();
      const { message: how } = classify(thrown);
      if (thrown instanceof Hung) replace(asked, 'hung', how);
      throw new SluiceError('model-failed', `the process of the model, on a batch of ${rows}: ${how}`, thrown);
    } finally {
      running = false;
    }
    inVain = 0;
    if (answer.kind === KIND.failed) throw failureOf(answer);
    longestMs = Math.max(longestMs, clock.monotonicMs() - startedMs);
    return outputsOf(answer.body, answer.count);
  }

  function searchTimeoutMs(): number {
    return Math.min(runTimeoutMs, Math.max(SEARCH_TIMEOUT_MS, SEARCH_SLOWDOWN * longestMs));
  }

  const askedMs = clock.monotonicMs();
  const first = await open(load);
  telemetry.event('model-isolated', { pid: process?.pid });
  loadTimeoutMs = Math.max(RELOAD_TIMEOUT_MS, RELOAD_SLOWDOWN * (clock.monotonicMs() - askedMs));
  return {
    ...first,
    run,
    async close() {
      closed = true;
      const last = process;
      process = undefined;
      last?.kill();
      await last?.ended;
    },
  };
}

interface Said {
  readonly name: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

class Hung extends SluiceError {
  constructor(limitMs: number) {
    super('model-failed', `no answer for ${limitMs} ms, so it was killed`);
  }
}

function failureOf(answer: Answer): SluiceError {
  const { code, why } = textOf(answer.body) as { readonly code: ErrorCode; readonly why: string };
  return new SluiceError(code, why);
}

/** No record is at fault for the end of the session. */
function afterTheEnd(): SluiceError {
  return new SluiceError('invariant-broken', 'the model ran after its session was closed');
}
