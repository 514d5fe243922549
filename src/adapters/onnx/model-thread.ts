import { extname } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { type ErrorCode, SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { ModelLoad, ModelOutput, TensorSpec } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import {
  ANSWERED,
  ASKED,
  CARRIED,
  CARRIER,
  questionBytes,
  ROWS,
  readAnswer,
  SHARED_BYTES,
  shareMemory,
  WANT,
  WANTED,
  writeQuestion,
} from './shared-memory.ts';

/** The start data of a thread. */
export interface ThreadData {
  readonly load: ModelLoad;
  readonly shared: SharedArrayBuffer;
  readonly port: MessagePort;
}

export interface Loaded {
  readonly device: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

interface Failed {
  readonly code: ErrorCode;
  readonly why: string;
}

/** What comes through the message port in answer to a run. */
export type Moved =
  | { readonly outputs: readonly ModelOutput[]; readonly memory: ArrayBuffer | undefined }
  | { readonly failed: Failed; readonly memory: ArrayBuffer | undefined };

/** The first thing that a thread says. */
export type FirstWord = { readonly events: readonly Said[] } & (
  | { readonly loaded: Loaded }
  | { readonly failed: Failed }
);

export interface Said {
  readonly name: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A thread with one model in it; see thread.ts. It answers one question at a time. */
export interface ModelThread extends Loaded {
  run(slabs: readonly Tensor[], rows: number): Promise<readonly ModelOutput[]>;
  /** Resolves once the thread is gone, which it is after the run that is under way. */
  end(): Promise<void>;
  /** Why it ended by itself; undefined while it has not. */
  readonly died: string | undefined;
}

const ENTRY = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

/**
 * Starts a thread and loads the model in it; rejects as the inline runtime does.
 *
 * The slabs of a run may be reused as soon as `run` has returned its promise, because they have been copied. It waits with
 * `Atomics.waitAsync`, at a third of the cost of a message.
 */
export async function startModelThread(
  load: ModelLoad,
  { telemetry, entry = ENTRY }: { readonly telemetry: Telemetry; readonly entry?: URL },
): Promise<ModelThread> {
  const shared = shareMemory();
  const { words, bytes } = shared;
  const { port1: port, port2: theirs } = new MessageChannel();
  const data: ThreadData = { load, shared: shared.buffer, port: theirs };
  // A copy of the environment would be taken otherwise; the model has no use for it.
  const worker = new Worker(entry, { workerData: data, transferList: [theirs], env: {}, name: 'model' });
  const widths = load.feeds.map(({ rowShape }) => rowShape.reduce((a, b) => a * b, 1));
  let died: string | undefined;
  let ending = false;
  let running: Promise<unknown> = Promise.resolve();
  /** What a large question was moved in comes back with its answer. */
  let spare: ArrayBuffer | undefined;

  const gone = new Promise<void>((resolve) => {
    let why = '';
    worker.once('error', (error) => {
      why = `: ${error.message}`;
    });
    worker.once('exit', (code) => {
      if (!ending) died = `its thread ended with code ${code}${why}`;
      // Nobody else will wake whoever waits for an answer.
      Atomics.add(words, ANSWERED, 1);
      Atomics.notify(words, ANSWERED);
      port.close();
      resolve();
    });
  });

  const first = await new Promise<FirstWord>((resolve, reject) => {
    worker.once('message', resolve);
    void gone.then(() => reject(new SluiceError('device-failed', `${load.file} could not be loaded: ${died}`)));
  });
  for (const { name, fields } of first.events) telemetry.event(name, fields);
  if ('failed' in first) {
    ending = true;
    await gone;
    throw new SluiceError(first.failed.code, first.failed.why);
  }

  function ask(wanted: number): void {
    words[WANTED] = wanted;
    Atomics.add(words, ASKED, 1);
    Atomics.notify(words, ASKED);
  }

  async function run(slabs: readonly Tensor[], rows: number): Promise<readonly ModelOutput[]> {
    if (died !== undefined) throw deadThread(load.file, died);
    const size = questionBytes(slabs, rows, widths);
    const answered = Atomics.load(words, ANSWERED);
    words[ROWS] = rows;
    words[CARRIER] = size > SHARED_BYTES ? CARRIED.port : CARRIED.shared;
    if (size > SHARED_BYTES) {
      const memory = spare !== undefined && spare.byteLength >= size ? spare : new ArrayBuffer(size);
      spare = undefined;
      writeQuestion(new Uint8Array(memory), slabs, rows, widths);
      port.postMessage(memory, [memory]);
    } else writeQuestion(bytes, slabs, rows, widths);
    ask(WANT.run);
    running = Promise.resolve(Atomics.waitAsync(words, ANSWERED, answered).value);
    await running;
    if (died !== undefined) throw deadThread(load.file, died);
    if (words[CARRIER] === CARRIED.shared) return readAnswer(shared);
    const moved = receiveMessageOnPort(port)?.message as Moved;
    spare = moved.memory;
    if ('failed' in moved) throw new SluiceError(moved.failed.code, moved.failed.why);
    return moved.outputs;
  }

  return {
    ...first.loaded,
    run,
    get died() {
      return died;
    },
    async end() {
      // One question at a time: a second one would be written over the first.
      await running;
      if (!ending && died === undefined) {
        ending = true;
        ask(WANT.end);
      }
      await gone;
    },
  };
}

function deadThread(file: string, died: string): SluiceError {
  return new SluiceError(
    'device-failed',
    `the thread of ${file} is gone: ${died}; no record was given up; restart, or give the model a process of its own with model.isolation: process`,
  );
}
