import { readdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { State, StateQuery } from '../../telemetry/state/state.ts';

export interface ConsoleDeps {
  /** Undefined when there is no such instance, or nothing yet. */
  readonly state: (query: StateQuery) => State | undefined;
}

/** The page as it is in the package: read once, no more than a hundred kilobytes. */
const FOLDER = new URL('./console/', import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing is loaded from elsewhere, nothing is inline, nobody may frame the page, and no other page may read it. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/**
 * The console: one page at `/`, its files under `/console/`, its figures at `/api/state`. GET and HEAD only.
 *
 * To a browser, a foreign page whose host name resolves to 127.0.0.1 has the same origin as this one (cause) → it could read what only
 * this machine may see (effect) → while listening only on the loopback interface, requests must name it as their host (guard).
 */
export function addConsole(server: FastifyInstance, { state }: ConsoleDeps, { host }: { readonly host: string }): void {
  const local = isLoopBack(host);
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    reply.headers(HEADERS);
    if (!local || isLocal(request.headers.host)) return undefined;
    const error = 'this console is for this machine alone: open it by 127.0.0.1 or localhost';
    return reply.code(421).send({ error });
  };
  for (const file of readdirSync(FOLDER)) {
    const type = TYPES[extname(file)];
    if (type === undefined) continue;
    const body = readFileSync(new URL(file, FOLDER));
    const path = file === 'index.html' ? '/' : `/console/${file}`;
    server.get(path, { onRequest }, async (_request, reply) => reply.type(type).send(body));
  }
  server.get('/api/state', { onRequest }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { instance = '', after } = request.query as Readonly<Record<string, string | undefined>>;
    const afterMs = Number(after ?? 0);
    if (typeof instance !== 'string' || Number.isNaN(afterMs)) {
      const error = 'give ?instance=NUMBER and ?after=MILLISECONDS, once each, or neither';
      return reply.code(400).send({ error });
    }
    const found = state({ instance, afterMs });
    if (found !== undefined) return reply.send(found);
    if (instance === '') return reply.code(503).header('retry-after', '1').send({ error: 'starting' });
    return reply
      .code(404)
      .send({ error: `no instance ${instance.slice(0, 20)} runs here; without ?instance= you see all` });
  });
}

/** Without a host, it is. */
export function isLoopBack(host = '127.0.0.1'): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** The only allowed name is localhost, since any other may have been made to resolve to us; addresses are unambiguous. */
function isLocal(host = ''): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return name === 'localhost' || isIP(name) !== 0;
}
