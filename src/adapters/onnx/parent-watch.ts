import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { LIFE_FD, OUT_OF_MEMORY } from './wire.ts';

/**
 * The second thread of the process of an isolated model. A native run holds the first one (cause) → it would not see that
 * the pipeline is gone, nor that memory runs out, and an orphan would hold a core or a GPU for ever (effect) → a thread
 * that only looks, and SIGKILL (guard). Limit: what grows faster than it looks is the kernel's to stop.
 */
const LOOK_EVERY_MS = 25;

const { maxBytes } = workerData as { readonly maxBytes: number };
const life = new Socket({ fd: LIFE_FD, readable: true, writable: true });
const end = (): void => void process.kill(process.pid, 'SIGKILL');

life.on('close', end).on('error', end).resume();
if (maxBytes > 0) {
  setInterval(() => {
    if (process.memoryUsage.rss() > maxBytes) life.write(OUT_OF_MEMORY, end);
  }, LOOK_EVERY_MS);
}
