import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { LIFE_FD, OUT_OF_MEMORY } from './wire.ts';

/**
 * The second thread of the process of an isolated model. A native run blocks the first one (cause) → it would not notice that the
 * pipeline is gone, or that memory runs out, and an orphan would occupy a core or a GPU for ever (effect) → this thread only
 * watches, and sends SIGKILL (guard). Limit: memory that grows faster than it looks is left to the kernel.
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
