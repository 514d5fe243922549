/**
 * Inspects one Redis server: what it reports about itself, and which of the commands that Sluice needs this user may run.
 *
 * Promise: nothing is written (the SET applies only to an existing key, of a name that nobody uses), and it ends within `timeoutMs` or
 * rejects with a SluiceError. What the user may not ask, or a managed Redis does not tell, is undefined.
 */
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Clock } from '../../kernel/clock.ts';
import { tlsOptions } from '../../kernel/connections/tls.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { connectRedis, isReply, type RedisLink, type RedisOptions, translate } from './connection.ts';

export interface ProbedRedis {
  readonly version: string | undefined;
  readonly role: 'master' | 'slave' | undefined;
  /** Of the peer; undefined without TLS. */
  readonly certificateEndsMs: number | undefined;
  readonly memory: { readonly maxBytes: number; readonly policy: string } | undefined;
  /** Undefined: it is no cluster, or this user may not ask. */
  readonly cluster: ProbedRedisCluster | undefined;
  /** Commands that this user may not have. */
  readonly refused: readonly string[];
}

export interface ProbedRedisCluster {
  readonly ok: boolean;
  /** Slots that a master has, and that it answers for; all are 16384. */
  readonly assigned: number;
  readonly served: number;
  /** Addresses of masters with slots that no replica would stand in for. */
  readonly alone: readonly string[];
  /** Addresses of nodes that the others cannot reach. */
  readonly failing: readonly string[];
}

const KEY = Buffer.from('sluice:kept:doctor');

const COMMANDS: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  hgetall: ['HGETALL', KEY],
  get: ['GET', KEY],
  mget: ['MGET', KEY],
  set: ['SET', KEY, '', 'XX'],
  eval: ['EVAL', 'return 1', '1', KEY],
};

export async function probeRedis(
  clock: Clock,
  options: RedisOptions & { readonly timeoutMs: number },
  needs: readonly string[],
): Promise<ProbedRedis> {
  const [{ host, port }] = options.nodes;
  const where = `${host}:${port}`;
  const { timeoutMs } = options;
  let link: RedisLink | undefined;
  const work = async (): Promise<ProbedRedis> => {
    const over = await connectRedis({ ...options, cluster: false, connectTimeoutMs: timeoutMs }, () => undefined);
    link = over;
    const info = parseInfo(await asked(over, ['INFO']));
    const clustered = info.get('cluster_enabled') === '1' || options.cluster;
    return {
      version: info.get('redis_version'),
      role: roleOf(info.get('role')),
      certificateEndsMs: options.ssl === undefined ? undefined : await certificateEnd(options, timeoutMs),
      memory: memoryOf(info),
      cluster: clustered ? await clusterOf(over) : undefined,
      refused: await refusedOf(over, needs),
    };
  };
  try {
    const working = work();
    if (await within(clock, deadlineIn(clock, timeoutMs), working)) return await working;
  } catch (error) {
    throw translate(error, 'a connection', options, 'a user has to be made, and switched on');
  } finally {
    link?.close();
  }
  throw new SluiceError('store-unavailable', `Redis at ${where} did not answer within ${timeoutMs} ms`);
}

/** Undefined where the server does not say. */
async function asked(link: RedisLink, args: readonly string[]): Promise<string | undefined> {
  try {
    return String(await link.send(KEY, true, args));
  } catch (error) {
    if (isReply(error)) return undefined;
    throw error;
  }
}

async function refusedOf(link: RedisLink, needs: readonly string[]): Promise<string[]> {
  const refused: string[] = [];
  for (const name of needs) {
    try {
      await link.send(KEY, true, COMMANDS[name]);
    } catch (error) {
      if (!isReply(error)) throw error;
      // What it says otherwise, of a slot that is elsewhere or a script, is no matter of permission.
      if (/^NOPERM\b/.test((error as Error).message)) refused.push(name);
    }
  }
  return refused;
}

function parseInfo(text: string | undefined): ReadonlyMap<string, string> {
  return new Map(
    (text ?? '').split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

function roleOf(role: string | undefined): ProbedRedis['role'] {
  return role === 'master' || role === 'slave' ? role : undefined;
}

function memoryOf(info: ReadonlyMap<string, string>): ProbedRedis['memory'] {
  const policy = info.get('maxmemory_policy');
  return policy === undefined ? undefined : { maxBytes: Number(info.get('maxmemory') ?? 0), policy };
}

async function clusterOf(link: RedisLink): Promise<ProbedRedisCluster | undefined> {
  const info = await asked(link, ['CLUSTER', 'INFO']);
  if (info === undefined) return undefined;
  const said = parseInfo(info);
  const nodes = ((await asked(link, ['CLUSTER', 'NODES'])) ?? '').split('\n').flatMap((line) => {
    const [id, address, flags, master, , , , ...slots] = line.trim().split(' ');
    return flags === undefined
      ? []
      : [{ id, address: address.replace(/@.*/, ''), flags: flags.split(','), master, slots }];
  });
  const fails = ({ flags }: { readonly flags: readonly string[] }): boolean =>
    flags.includes('fail') || flags.includes('fail?');
  const stoodInFor = new Set(nodes.filter((node) => !fails(node)).map(({ master }) => master));
  return {
    ok: said.get('cluster_state') === 'ok',
    assigned: Number(said.get('cluster_slots_assigned') ?? 0),
    served: Number(said.get('cluster_slots_ok') ?? 0),
    alone: nodes
      .filter(({ id, flags, slots }) => flags.includes('master') && slots.length > 0 && !stoodInFor.has(id))
      .map(({ address }) => address),
    failing: nodes.filter(fails).map(({ address }) => address),
  };
}

/** The client does not expose the certificate that it has verified, so this makes a handshake of its own. */
function certificateEnd({ nodes, ssl }: RedisOptions, timeoutMs: number): Promise<number | undefined> {
  const [{ host, port }] = nodes;
  const named = isIP(host) === 0 ? { servername: host } : {};
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...named, ...tlsOptions(ssl ?? {}), timeout: timeoutMs });
    const end = (): void => void socket.destroy();
    socket.once('secureConnect', () => {
      const endsMs = Date.parse(socket.getPeerCertificate().valid_to ?? '');
      end();
      resolve(Number.isNaN(endsMs) ? undefined : endsMs);
    });
    socket.once('timeout', () => {
      end();
      resolve(undefined);
    });
    socket.once('error', (error) => {
      end();
      reject(error);
    });
  });
}
