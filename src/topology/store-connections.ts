import { z } from 'zod';
import { missingOr, said, strict } from '../documents/zod-findings.ts';
import { Secret } from '../kernel/connections/secret.ts';
import type { TlsSettings } from '../kernel/connections/tls.ts';
import type { RedisConnection } from '../plan/topology.ts';
import { secret, tls } from './connection-schema.ts';
import { choice, count, duration, flag, matching, text } from './leaves.ts';

/** `connections` of stores other than Bigtable: their schema, and its conversion to the program's terms. */

const NODES_PATTERN = /^\s*[^\s,:]+:\d{1,5}\s*(,\s*[^\s,:]+:\d{1,5}\s*)*$/;
const URL_PATTERN = /^rediss?:\/\/[^\s/]+(\/\d{0,3})?$/;
const DEFAULT_PORT = 6_379;

/** It may contain a password, so messages never show it. */
function redisUrl() {
  const remedy = 'write redis://HOST:PORT or rediss://HOST:PORT (TLS), for example "redis://localhost:6379"';
  return z
    .string({ error: (issue) => missingOr(issue.input, 'is not text', remedy) })
    .regex(URL_PATTERN, { error: said('is not an address of Redis', remedy) })
    .refine((url) => !URL_PATTERN.test(url) || isAddress(url), {
      error: said(
        'is not an address of Redis: its port is none, or its user or password holds a character as it is',
        'write the port as a number, and / : @ % and # of a password as %2F %3A %40 %25 and %23, or the password under password:',
      ),
    });
}

/** Whether it is a valid URL whose login can be decoded. */
function isAddress(url: string): boolean {
  try {
    const { username, password } = new URL(url);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

export const redisSchema = strict({
  url: redisUrl().describe('redis://HOST:PORT/DATABASE; rediss:// with TLS').optional(),
  nodes: matching(NODES_PATTERN, 'a list host:port,host:port', '"localhost:6379"')
    .describe('instead of url: host:port, comma-separated; for a cluster, some of its nodes are enough')
    .optional(),
  cluster: flag('true').describe('true: a Redis Cluster').default(false),
  ssl: tls().describe('TLS; true: trust the authorities that Node trusts. Redis is always verified').optional(),
  username: secret('the user', `"\${REDIS_USER}"`).describe('an ACL user; default: "default"').optional(),
  password: secret('the password', `"\${REDIS_PASSWORD}"`).optional(),
  database: count(9_999, 1, 0).describe('the number of the database; a cluster has only 0').optional(),
});

export const filesSchema = strict({
  folder: text('the path of a folder', 'features').describe(
    'contains TABLE.jsonl or TABLE.jsonl.gz for each table; `sluice run` reloads a file that changes',
  ),
});

/** Rows of a feature cache shared with other processes. */
export const secondLevelSchema = strict({
  connection: choice(['redis'], ['memcached', 'hazelcast', 'memorystore'])
    .describe('which of connections')
    .default('redis'),
  ttl: duration('1h')
    .describe(
      'how long a row is used after it was read from the store, in Redis and memory together; at least the ttl of the cache',
    )
    .prefault('1h'),
  negativeTtl: duration('1m').describe('the same for a row that the store does not have').prefault('1m'),
  timeout: duration('50ms')
    .describe('how long Redis may take before the store is asked; if it does not answer, it is bypassed for a while')
    .prefault('50ms'),
});

export type SecondLevelFile = z.infer<typeof secondLevelSchema>;

export type RedisFile = z.infer<typeof redisSchema>;

/** Wraps the value of a key of `connections.redis` as a secret. */
export type HideRedis = (key: 'username' | 'password', text: string) => Secret;

/** Credentials are removed from the URL, because messages show addresses. */
export function buildRedis(file: RedisFile, ssl: TlsSettings | undefined, hide: HideRedis): RedisConnection {
  const at = file.url === undefined ? undefined : new URL(file.url);
  const nodes =
    at === undefined
      ? (file.nodes ?? '').split(',').map(nodeOf)
      : [{ host: at.hostname.replace(/^\[|\]$/g, ''), port: at.port === '' ? DEFAULT_PORT : Number(at.port) }];
  const credential = (key: 'username' | 'password'): Secret | undefined => {
    const given = file[key];
    if (given !== undefined) return hide(key, given);
    return at?.[key] ? new Secret(decodeURIComponent(at[key])) : undefined;
  };
  const [username, password] = [credential('username'), credential('password')];
  const secure = ssl ?? (at?.protocol === 'rediss:' ? {} : undefined);
  return {
    nodes,
    cluster: file.cluster,
    database: file.database ?? Number(at?.pathname.slice(1) || 0),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(secure !== undefined && { ssl: secure }),
  };
}

function nodeOf(text: string): { readonly host: string; readonly port: number } {
  const [host, port] = text.trim().split(':');
  return { host, port: Number(port) };
}
