import { fastify } from 'fastify';
import type { Clock } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { addConsole, type ConsoleDeps } from './console.ts';

export interface AdminDeps {
  readonly clock: Clock;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly health: () => Health;
  /** Without, there is none. */
  readonly console?: ConsoleDeps;
}

export interface Health {
  /** False only when a restart would help. */
  readonly live: boolean;
  /** True when progress is possible. */
  readonly ready: boolean;
  /** Empty when all is well. */
  readonly reason: string;
}

export interface AdminOptions {
  readonly host?: string;
  /** 0 for any free one. */
  readonly port?: number;
}

export interface Admin {
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTION_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
/** From a request to the last byte of its answer. */
const EXCHANGE_TIMEOUT_MS = 10_000;
const CHECK_EVERY_MS = 1_000;
const MAX_CONNECTIONS = 64;
const MAX_BODY_BYTES = 1024;

/**
 * What a cluster asks this process: `/metrics`, `/live`, `/ready`; what people look at: `/` (see console.ts); anything else is 404. Read-only, and nothing in it is secret,
 * but it listens on the loop-back interface unless told otherwise. Answers are made on the loop that moves records: the
 * number of connections, their time and their bodies are bounded.
 *
 * A reader that takes one byte a second keeps its connection open → 64 of them lock out the probes of the cluster, which then kills a
 * healthy process → an answer that is not read in time is cut off.
 */
export async function createAdmin(deps: AdminDeps, options: AdminOptions = {}): Promise<Admin> {
  const { host = '127.0.0.1', port = 9464 } = options;
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // A scraper keeps its connection open → close() would wait for it beyond the drain budget → connections are cut.
    forceCloseConnections: true,
    exposeHeadRoutes: true,
    // Node looks for requests that take too long every half minute, unless told otherwise.
    http: { connectionsCheckingInterval: CHECK_EVERY_MS, headersTimeout: REQUEST_TIMEOUT_MS },
  });
  server.addHook('onRequest', (request, reply, done) => {
    const timer = deps.clock.after(EXCHANGE_TIMEOUT_MS, () => request.raw.socket.destroy());
    reply.raw.once('close', () => timer.cancel());
    done();
  });
  server.server.maxConnections = MAX_CONNECTIONS;

  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await deps.metrics();
    return reply.header('content-type', contentType).header('cache-control', 'no-store').send(body);
  });
  server.get('/live', async (_request, reply) => {
    const { live, reason } = deps.health();
    return reply.code(live ? 200 : 503).send({ live, reason: live ? '' : reason });
  });
  server.get('/ready', async (_request, reply) => {
    const { live, ready, reason } = deps.health();
    return reply.code(live && ready ? 200 : 503).send({ ready: live && ready, reason });
  });
  if (deps.console !== undefined) addConsole(server, deps.console, { host });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'not found; there is /, /api/state, /metrics, /live and /ready' }),
  );

  try {
    const url = await server.listen({ host, port });
    return { url, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw notListening(error as NodeJS.ErrnoException, host, port);
  }
}

const WHY: Readonly<Record<string, readonly [string, string]>> = {
  EADDRNOTAVAIL: ['this machine has no such address', 'give one of its own to --listen, or 0.0.0.0 for all of them'],
  EACCES: ['this user may not', 'give --listen a port of 1024 or more'],
  ENOTFOUND: ['nobody knows this name', 'give --listen an address, such as 127.0.0.1:9464'],
};

function notListening(error: NodeJS.ErrnoException, host: string, port: number): SluiceError {
  if (error.code === 'EADDRINUSE') {
    return new SluiceError(
      'port-taken',
      `port ${port} on ${host} is in use by another program; choose another with --listen HOST:PORT (port 0: any free one)`,
      error,
    );
  }
  const why = WHY[error.code ?? ''] ?? [error.message, 'see --listen HOST:PORT'];
  return new SluiceError('usage-invalid', `cannot listen on ${host}:${port}: ${why.join('; ')}`, error);
}
