/**
 * The thread of a model: loads one, answers one run after the other, ends when it is told to.
 *
 * It blocks while it waits, because nothing else happens on it. Ending it from outside in the middle of a native run would end the
 * whole process (SIGABRT), so that is never done; it ends by itself, after the run, and releases the session. A run that hangs
 * therefore keeps its thread for ever: `model.isolation: process` is for models that may hang.
 */
import { setPriority } from 'node:os';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { classify } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import { TENSOR_ARRAYS } from '../../kernel/tensor-arrays.ts';
import type { ModelLoad, ModelOutput, ModelSession } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { FirstWord, Moved, Said, ThreadData } from './model-thread.ts';
import { inParts } from './parts.ts';
import { createOnnxRuntime } from './runtime.ts';
import {
  ANSWERED,
  ASKED,
  CARRIED,
  CARRIER,
  openShared,
  ROWS,
  SHARED_BYTES,
  type Shared,
  WANT,
  WANTED,
  writeAnswer,
} from './shared-memory.ts';
import { padded } from './wire.ts';

const { load, shared: memory, port } = workerData as ThreadData;

async function serve(shared: Shared): Promise<void> {
  yieldToThePipeline();
  const events: Said[] = [];
  const telemetry = { event: (name, fields) => void events.push({ name, fields }) } as Partial<Telemetry> as Telemetry;
  const say = (word: FirstWord): void => parentPort?.postMessage(word);
  let session: ModelSession;
  try {
    session = inParts(await createOnnxRuntime({ telemetry }).load(load), load);
  } catch (thrown) {
    const { code, message: why } = classify(thrown);
    return say({ failed: { code, why }, events });
  }
  const { device, inputs, outputs } = session;
  let asked = Atomics.load(shared.words, ASKED);
  say({ loaded: { device, inputs, outputs }, events });
  for (;;) {
    Atomics.wait(shared.words, ASKED, asked);
    asked++;
    if (shared.words[WANTED] === WANT.end) break;
    await answer(session, shared, port);
    Atomics.add(shared.words, ANSWERED, 1);
    Atomics.notify(shared.words, ANSWERED);
  }
  await session.close();
}

const own = new Uint8Array(SHARED_BYTES);

async function answer(session: ModelSession, shared: Shared, port: MessagePort): Promise<void> {
  const { words, bytes } = shared;
  const rows = words[ROWS];
  const moved = words[CARRIER] === CARRIED.port ? (receiveMessageOnPort(port)?.message as ArrayBuffer) : undefined;
  let outputs: readonly ModelOutput[];
  try {
    if (moved === undefined) own.set(bytes.subarray(0, slabBytes(load, rows)));
    outputs = await session.run(slabsIn(moved ?? own.buffer, load, rows), rows);
  } catch (thrown) {
    const { code, message: why } = classify(thrown);
    words[CARRIER] = CARRIED.port;
    send(port, { failed: { code, why }, memory: moved });
    return;
  }
  words[CARRIER] = moved === undefined && writeAnswer(shared, outputs) ? CARRIED.shared : CARRIED.port;
  if (words[CARRIER] === CARRIED.port) send(port, { outputs, memory: moved });
}

function send(port: MessagePort, moved: Moved): void {
  port.postMessage(moved, moved.memory === undefined ? [] : [moved.memory]);
}

function slabBytes({ feeds }: ModelLoad, rows: number): number {
  return feeds.reduce((sum, { rowShape, dtype }) => {
    const Slab = TENSOR_ARRAYS[dtype as keyof typeof TENSOR_ARRAYS];
    return sum + padded(rows * rowShape.reduce((a, b) => a * b, 1) * Slab.BYTES_PER_ELEMENT);
  }, 0);
}

/** Views of the tensors that lie one after the other in `buffer`. */
function slabsIn(buffer: ArrayBuffer, { feeds }: ModelLoad, rows: number): Tensor[] {
  let at = 0;
  return feeds.map(({ rowShape, dtype }): Tensor => {
    const Slab = TENSOR_ARRAYS[dtype as keyof typeof TENSOR_ARRAYS];
    const slab = new Slab(
      buffer,
      at,
      rowShape.reduce((a, b) => a * b, rows),
    );
    at += padded(slab.byteLength);
    return slab;
  });
}

/**
 * With fewer cores than threads, a thread that always computes makes one that wakes up briefly wait for its time slice, for
 * milliseconds → heartbeats and acknowledgements are late → the model has the lower priority. Only on Linux does a thread have a
 * priority of its own; elsewhere it would apply to the whole process.
 */
function yieldToThePipeline(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(MODEL_NICENESS);
  } catch (thrown) {
    // A sandbox that forbids it leaves the model as it is.
    void thrown;
  }
}

const MODEL_NICENESS = 5;

await serve(openShared(memory));
