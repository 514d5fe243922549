/**
 * The process of an isolated model: loads one model, answers one run after the other, and can be killed at any time.
 *
 * Reads and writes block, which does no harm because nothing else happens on this thread. A second thread watches the pipeline.
 * Promises: it ends when the pipeline is gone, however that ended and whatever runs here; SIGINT and SIGTERM, which a terminal
 * or a process manager sends to the whole process group, do not end it, so that a drain can finish; when memory is short, the
 * kernel kills it before the pipeline.
 */
import { readSync, writeFileSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { classify } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import { TENSOR_ARRAYS } from '../../kernel/tensor-arrays.ts';
import type { ModelLoad, ModelSession } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { createOnnxRuntime } from './runtime.ts';
import {
  HEADER_BYTES,
  KIND,
  type LoadQuestion,
  message,
  outputParts,
  padded,
  readHeader,
  TALK_FD,
  textMessage,
  textOf,
} from './wire.ts';

async function serve(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  offerToTheKernel();
  const { load, maxBytes } = textOf(read().body) as LoadQuestion;
  new Worker(new URL(`./parent-watch${extname(import.meta.url)}`, import.meta.url), { workerData: { maxBytes } });
  const events: unknown[] = [];
  const telemetry = { event: (name, fields) => void events.push({ name, fields }) } as Partial<Telemetry> as Telemetry;
  let session: ModelSession;
  try {
    session = await createOnnxRuntime({ telemetry }).load(load);
  } catch (thrown) {
    const { code, message: why } = classify(thrown);
    write(textMessage(KIND.failed, { code, why, events }));
    return;
  }
  const { device, inputs, outputs } = session;
  write(textMessage(KIND.loaded, { device, inputs, outputs, events }));
  for (;;) write(await answer(session, load));
}

async function answer(session: ModelSession, { feeds }: ModelLoad): Promise<Uint8Array[]> {
  const { count: rows, body } = read();
  let at = 0;
  const slabs = feeds.map(({ rowShape, dtype }): Tensor => {
    const Type = TENSOR_ARRAYS[dtype as keyof typeof TENSOR_ARRAYS];
    const length = rowShape.reduce((a, b) => a * b, rows);
    const slab = new Type(body.buffer as ArrayBuffer, at, length);
    at += padded(slab.byteLength);
    return slab;
  });
  try {
    const outputs = await session.run(slabs, rows);
    return message(KIND.outputs, outputs.length, outputParts(outputs));
  } catch (thrown) {
    const { code, message: why } = classify(thrown);
    return textMessage(KIND.failed, { code, why, events: [] });
  }
}

const header = Buffer.alloc(HEADER_BYTES);
/** Grows to the largest message, and is read anew by each: a run is over before the next question is read. */
let memory: Buffer = Buffer.alloc(0);

function read(): { readonly count: number; readonly body: Uint8Array } {
  fill(header);
  const { count, bodyBytes } = readHeader(new DataView(header.buffer, header.byteOffset, HEADER_BYTES));
  if (memory.length < bodyBytes) memory = Buffer.allocUnsafeSlow(bodyBytes);
  const body = memory.subarray(0, bodyBytes);
  fill(body);
  return { count, body };
}

function fill(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const length = readSync(TALK_FD, bytes, at, bytes.length - at, null);
    if (length === 0) process.exit(0);
    at += length;
  }
}

function write(pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) at += writeSync(TALK_FD, piece, at, piece.length - at);
  }
}

/** Linux only; where it cannot be said (no such file, a sandbox), the kernel chooses as it always does. */
function offerToTheKernel(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch (thrown) {
    void thrown;
  }
}

await serve();
