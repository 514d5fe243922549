/** A thread that reads for read-apart.ts: a module world of its own, in which nobody has changed the client. */
import { parentPort, workerData } from 'node:worker_threads';
import { openReader } from './read.ts';
import type { Asked } from './read-apart.ts';

const reader = openReader(workerData.brokers, workerData.options);

parentPort?.on('message', ({ id, call, args }: Asked) => {
  const work = reader[call] as (...args: Asked['args']) => Promise<unknown>;
  work(...args).then(
    (value) => parentPort?.postMessage({ id, value, hanging: [...reader.hanging] }),
    (error: Error) => parentPort?.postMessage({ id, error: error.message, hanging: [] }),
  );
});
