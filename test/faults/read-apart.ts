/**
 * The reader of read.ts in a thread of its own.
 *
 * A pipeline in the same process puts its own decoder of fetches into the stock client (cause) → a reader beside it would see
 * topics through the very code that it audits (effect) → it reads where modules are loaded anew, unchanged (guard).
 */
import { Worker } from 'node:worker_threads';
import type { ReaderOptions, Seen, TopicReader } from './read.ts';

export interface Asked {
  readonly id: number;
  readonly call: 'bounds' | 'readOn' | 'partitions' | 'committed' | 'close';
  readonly args: readonly (string | number | undefined)[];
}

interface Answered {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly hanging: readonly string[];
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export function openReader(brokers: string, options: ReaderOptions = {}): TopicReader {
  const hanging = new Set<string>();
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let worker: Worker | undefined;

  function start(): Worker {
    const made = new Worker(new URL('./read-worker.ts', import.meta.url), { workerData: { brokers, options } });
    made.on('message', ({ id, value, error, hanging: now }: Answered) => {
      const entry = waiting.get(id);
      waiting.delete(id);
      // Only a question under way keeps the process.
      if (waiting.size === 0) made.unref();
      hanging.clear();
      for (const place of now) hanging.add(place);
      if (error === undefined) entry?.resolve(value);
      else entry?.reject(new Error(error));
    });
    made.on('error', (error) => {
      for (const { reject } of waiting.values()) reject(error as Error);
      waiting.clear();
    });
    return made;
  }

  function ask<T>(call: Asked['call'], ...args: Asked['args']): Promise<T> {
    worker ??= start();
    worker.ref();
    const id = ++asked;
    worker.postMessage({ id, call, args } satisfies Asked);
    return new Promise((resolve, reject) => waiting.set(id, { resolve: resolve as Waiting['resolve'], reject }));
  }

  return {
    hanging,
    bounds: (topic) => ask('bounds', topic),
    readOn: async (topic, only) => (await ask<Seen[]>('readOn', topic, only)).map(asBuffers),
    partitions: (topic) => ask('partitions', topic),
    committed: (group, topic) => ask('committed', group, topic),
    async close() {
      if (worker === undefined) return;
      const ending = worker;
      await ask('close');
      worker = undefined;
      await ending.terminate();
    },
  };
}

/** Buffers cross as plain arrays of bytes. */
function asBuffers(seen: Seen): Seen {
  const headers: Record<string, Buffer | string | (Buffer | string)[] | undefined> = {};
  for (const [name, value] of Object.entries(seen.headers)) {
    headers[name] = Array.isArray(value) ? value.map((each) => bytesOf(each)) : value && bytesOf(value);
  }
  return { ...seen, key: seen.key && Buffer.from(seen.key), value: seen.value && Buffer.from(seen.value), headers };
}

/** The client puts what an object inherits beside the value of a header of that name: it stays what it is. */
function bytesOf(value: Buffer | string): Buffer | string {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}
