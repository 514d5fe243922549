/**
 * Connections to Redis, one server or a cluster, and single commands on them.
 *
 * Promise: a link that has lost a connection reports it once and does not reconnect; a new link is made when the next read needs
 * one. TLS is always verified. Replies are bytes. Limits: one promise per command, because the client has no other way; commands of
 * one turn of the event loop go out together.
 *
 * While disconnected, the client queues commands and sends them later → answers for reads that are long over → no queue, no
 * reconnecting. Its own time-outs do not fire if a server hangs → the reader has a clock, and drops the link.
 */
import { isIP } from 'node:net';
import { hideSecrets, type Secret } from '../../kernel/connections/secret.ts';
import { type TlsSettings, tlsOptions, tlsTrouble } from '../../kernel/connections/tls.ts';
import { SluiceError } from '../../kernel/errors.ts';

export interface RedisOptions {
  /** Of a cluster: some of its nodes, the others are found. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  readonly database: number;
  readonly username?: Secret;
  readonly password?: Secret;
  /** Undefined: without TLS. */
  readonly ssl?: TlsSettings;
  readonly connectTimeoutMs?: number;
}

export interface RedisLink {
  send(key: Buffer, isRead: boolean, args: readonly (string | Buffer)[]): Promise<unknown>;
  close(): void;
}

/** `host:port`, for people. */
export function whereOf({ nodes }: Pick<RedisOptions, 'nodes'>): string {
  return nodes.map(({ host, port }) => `${host}:${port}`).join(',');
}

export async function connectRedis(options: RedisOptions, onLost: () => void): Promise<RedisLink> {
  // Loaded here: commands without Redis need not pay for it.
  const redis = await import('@redis/client');
  const reply = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } };
  let said: unknown;
  const onError = (error: unknown): void => {
    said = error;
    onLost();
  };
  if (!options.cluster) {
    const [{ host, port }] = options.nodes;
    const database = options.database === 0 ? {} : { database: options.database };
    const client = redis.createClient({ ...common(options), ...database, socket: socketOf(options, host, port) });
    client.on('error', onError).on('end', onLost);
    await opened(client);
    return { send: (_, __, args) => client.sendCommand(args, reply), close: () => end(client) };
  }
  const defaults = common(options);
  const cluster = redis.createCluster({
    RESP: 2,
    rootNodes: options.nodes.map(({ host, port }) => ({ socket: socketOf(options, host, port) })),
    // What is found later has an address of its own; the rest is as here.
    defaults: { ...defaults, socket: socketOf(options) },
    topologyRefreshOnReconnectionAttemptStrategy: false,
  });
  cluster.on('error', onError).on('node-error', onError);
  await opened(cluster).catch((error) => {
    // "No root node is reachable" says nothing of why.
    throw said ?? error;
  });
  return {
    send: (key, isRead, args) => cluster.sendCommand(key, isRead, [...args], reply),
    close: () => end(cluster),
  };
}

interface Client {
  connect(): Promise<unknown>;
  destroy(): void;
  readonly isOpen: boolean;
}

async function opened(client: Client): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    end(client);
    throw error;
  }
}

function end(client: Client): void {
  // One that has ended by itself throws when it is ended again.
  if (client.isOpen) client.destroy();
}

function common({ username, password }: RedisOptions) {
  return {
    RESP: 2 as const,
    name: 'sluice',
    disableOfflineQueue: true,
    // Asks the server for notifications that only a managed Redis has.
    maintNotifications: 'disabled' as const,
    ...(username !== undefined && { username: username.reveal() }),
    ...(password !== undefined && { password: password.reveal() }),
  };
}

function socketOf({ ssl, connectTimeoutMs = 5_000 }: RedisOptions, host?: string, port?: number) {
  const at = host === undefined ? {} : { host, port };
  const plain = { ...at, connectTimeout: connectTimeoutMs, reconnectStrategy: false as const };
  if (ssl === undefined) return plain;
  // A name is asked for as it is written; an address has none.
  const named = host !== undefined && isIP(host) === 0 ? { servername: host } : {};
  return { ...plain, ...named, ...tlsOptions(ssl), tls: true as const };
}

const KNOWS_US_NOT =
  /^(NOAUTH|WRONGPASS)\b|invalid password|without any password configured|unknown command [`'"]?AUTH\b/i;
const COMES_BACK =
  /^(MOVED|ASK|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|READONLY|OOM|NOREPLICAS|UNKILLABLE)\b|max number of clients/i;

/** Translates errors of Redis and of the network; a SluiceError passes through. Total: an unknown error is retried. */
export function translate(
  error: unknown,
  what: string,
  at: Pick<RedisOptions, 'nodes' | 'cluster' | 'password'>,
  takes = 'reading takes +hgetall on the keys',
): SluiceError {
  const where = whereOf(at);
  if (error instanceof SluiceError) return error;
  const { message = String(error), code } = (error ?? {}) as { message?: string; code?: string };
  // A server that has no AUTH repeats what it was told, the password too.
  const told = hideSecrets(message, at.password === undefined ? [] : [at.password]);
  const cause = told === message ? error : undefined;
  const said = told === '' ? String(code ?? error) : told;
  const isUnknown = KNOWS_US_NOT.test(said);
  if (isUnknown || /^NOPERM\b/.test(said)) {
    const remedy = `correct username and password of connections.redis; ${takes}`;
    const code = isUnknown ? 'login-refused' : 'store-refused';
    return new SluiceError(code, `Redis at ${where} refused ${what} (${said}); ${remedy}`, cause);
  }
  // Slots that move more often than the client follows, as in a failover, are at rest again soon.
  if (/^MOVED\b/.test(said) && !at.cluster) {
    const text = `Redis at ${where} is one node of a cluster; write cluster: true in connections.redis`;
    return new SluiceError('store-refused', text, error);
  }
  if (/cluster support disabled/.test(said)) {
    const text = `Redis at ${where} is no cluster; leave cluster: true out of connections.redis`;
    return new SluiceError('store-refused', text, error);
  }
  const trouble = tlsTrouble(code, 'connections.redis');
  if (trouble !== undefined) {
    const text = `no TLS with Redis at ${where}: ${trouble.what} (${said}); ${trouble.remedy}`;
    return new SluiceError('peer-untrusted', text, error);
  }
  if (isReply(error) && !COMES_BACK.test(said)) {
    return new SluiceError('store-refused', `Redis at ${where} refused ${what} (${said})`, cause);
  }
  return new SluiceError('store-unavailable', `Redis at ${where} did not answer for ${what} (${said})`, cause);
}

const REPLIES: ReadonlySet<unknown> = new Set(['ErrorReply', 'SimpleError', 'BlobError']);

/** The error comes from the server, not from the network. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && REPLIES.has(error.constructor.name);
}
