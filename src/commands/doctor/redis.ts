import type { ProbedRedis, ProbedRedisCluster } from '../../adapters/redis/probe.ts';
import type { RedisConnection } from '../../plan/topology.ts';
import { checkEnd } from './certificates.ts';
import { type Diagnosis, failed, note, ok, problem, warning } from './finding.ts';

export interface RedisQuestions extends Pick<RedisConnection, 'nodes' | 'cluster'> {
  /** Rows come from it, so an evicted row is missing. */
  readonly asStore: boolean;
  /** It caches rows of another store, so an evicted row is read again. */
  readonly asSecondLevel: boolean;
}

export interface RedisWorld {
  readonly wallMs: number;
  /** `needs`: commands, by their ACL names. */
  readonly probe: (node: RedisConnection['nodes'][number], needs: readonly string[]) => Promise<ProbedRedis>;
}

const ALL_SLOTS = 16_384;
const START = 'start it, or correct connections.redis';

/** For each Redis address in the topology: whether it answers, what this user may do, and whether it suits its purpose. */
export async function checkRedis(asked: RedisQuestions, { probe, wallMs }: RedisWorld): Promise<Diagnosis[]> {
  const { nodes } = asked;
  if (!asked.asStore && !asked.asSecondLevel) {
    return [note('redis', 'connections.redis is set, but nothing reads from it or caches rows in it')];
  }
  const needs = [...(asked.asStore ? ['hgetall'] : []), ...(asked.asSecondLevel ? ['get', 'mget', 'set', 'eval'] : [])];
  const answers = await Promise.allSettled(nodes.map((node) => probe(node, needs)));
  // In a cluster, one address suffices to find the others; a second level may be down.
  const some = answers.some(({ status }) => status === 'fulfilled');
  const found: Diagnosis[] = [];
  let cluster: ProbedRedisCluster | undefined;
  for (const [k, answer] of answers.entries()) {
    const where = `${nodes[k].host}:${nodes[k].port}`;
    if (answer.status === 'rejected') {
      const why = failed('redis', answer.reason, START);
      found.push(some || !asked.asStore ? { ...why, status: 'warning' } : why);
      continue;
    }
    const { value } = answer;
    cluster ??= value.cluster;
    const version = value.version === undefined ? 'and does not tell its version' : `as version ${value.version}`;
    found.push(ok('redis', `${where} answers, ${version}`));
    if (value.certificateEndsMs !== undefined)
      found.push(checkEnd(`that of ${where}`, value.certificateEndsMs, wallMs));
    found.push(
      ...checkUser(value, where, asked),
      ...checkRole(value, where, asked),
      ...checkMemory(value, where, asked),
    );
  }
  if (some && asked.cluster) found.push(...checkCluster(cluster));
  return found;
}

function checkUser({ refused }: ProbedRedis, where: string, { asStore }: RedisQuestions): Diagnosis[] {
  if (refused.length === 0) return [];
  const may = refused.map((name) => `+${name}`).join(' ');
  const say = asStore && refused.includes('hgetall') ? problem : warning;
  const what = `${where} does not let this user have ${refused.join(', ')}${say === warning ? ': nothing is kept for others' : ''}`;
  return [say('redis', what, `give it ${may}, for example: ACL SETUSER NAME ${may}`)];
}

function checkRole({ role }: ProbedRedis, where: string, { cluster, asSecondLevel }: RedisQuestions): Diagnosis[] {
  if (role !== 'slave' || cluster) return [];
  if (!asSecondLevel) return [note('redis', `${where} is a replica: its rows may be older than its master's`)];
  const what = `${where} is a replica, which accepts no writes: no rows are shared with other instances`;
  return [warning('redis', what, 'name its master in connections.redis')];
}

/** A store must not evict rows; a cache must, and before the machine runs out of memory. */
function checkMemory({ memory }: ProbedRedis, where: string, { asStore, asSecondLevel }: RedisQuestions): Diagnosis[] {
  if (memory === undefined) return [note('redis', `${where} does not disclose its maxmemory-policy`)];
  const { maxBytes, policy } = memory;
  const limit = maxBytes === 0 ? 'no maxmemory' : `maxmemory ${Math.round(maxBytes / 2 ** 20)} MiB`;
  const what = `${where} has ${limit} and maxmemory-policy ${policy}`;
  if (asStore && policy.startsWith('allkeys-')) {
    const remedy = asSecondLevel
      ? 'CONFIG SET maxmemory-policy volatile-ttl, which forgets only what the second level keeps, or give that a Redis of its own'
      : 'CONFIG SET maxmemory-policy noeviction, and memory for all rows';
    return [
      problem('redis', `${what}: when it is full, feature rows vanish, which look like missing features`, remedy),
    ];
  }
  if (!asSecondLevel) return [ok('redis', what)];
  const remedy = `CONFIG SET maxmemory-policy ${asStore ? 'volatile-ttl' : 'allkeys-lfu'}, and maxmemory below that of the machine`;
  if (maxBytes === 0) return [warning('redis', `${what}: it grows until the machine runs out of memory`, remedy)];
  if (policy === 'noeviction') return [warning('redis', `${what}: when it is full, it caches nothing more`, remedy)];
  return [ok('redis', what)];
}

function checkCluster(cluster: ProbedRedisCluster | undefined): Diagnosis[] {
  if (cluster === undefined) {
    return [
      note(
        'redis',
        'this user may not read the slots of the cluster (CLUSTER INFO)',
        'allow +cluster|info +cluster|nodes',
      ),
    ];
  }
  const { ok: works, assigned, served, alone, failing } = cluster;
  const found: Diagnosis[] = failing.map((address) =>
    warning(
      'redis',
      `the cluster does not reach its node ${address}`,
      'start it, or remove it: redis-cli --cluster del-node',
    ),
  );
  if (assigned < ALL_SLOTS) {
    const what = `${ALL_SLOTS - assigned} of the cluster's ${ALL_SLOTS} slots are unassigned: rows in them cannot be read`;
    return [...found, problem('redis', what, 'redis-cli --cluster fix HOST:PORT')];
  }
  if (!works || served < ALL_SLOTS) {
    const what = `the cluster is down: ${ALL_SLOTS - served} of its ${ALL_SLOTS} slots have no reachable node`;
    return [
      ...found,
      problem('redis', what, 'start the masters that have them, or let a replica take over: CLUSTER FAILOVER TAKEOVER'),
    ];
  }
  found.push(ok('redis', `the cluster answers for all ${ALL_SLOTS} slots`));
  if (alone.length === 0) return found;
  const what = `no replica could replace ${alone.join(', ')}: while one of them is down, its rows are unavailable`;
  return [...found, warning('redis', what, 'add replicas: redis-cli --cluster add-node NEW OLD --cluster-slave')];
}
