import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbedRedis } from '../../../../src/adapters/redis/probe.ts';
import { checkRedis, type RedisQuestions } from '../../../../src/commands/doctor/redis.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';

const WELL: ProbedRedis = {
  version: '7.0.15',
  role: 'master',
  certificateEndsMs: undefined,
  memory: { maxBytes: 2 ** 30, policy: 'noeviction' },
  cluster: undefined,
  refused: [],
};
const CLUSTER = { ok: true, assigned: 16_384, served: 16_384, alone: [], failing: [] };
const AWAY = new SluiceError('store-unavailable', 'Redis at b:2 did not answer for a connection (ECONNREFUSED)');

async function look(asked: Partial<RedisQuestions>, ...answers: (Partial<ProbedRedis> | Error)[]): Promise<string[]> {
  const nodes = answers.map((_, k) => ({ host: 'abc'[k], port: k + 1 }));
  const found = await checkRedis(
    { nodes, cluster: false, asStore: false, asSecondLevel: false, ...asked },
    {
      wallMs: Date.parse('2026-01-01'),
      async probe({ port }) {
        const answer = answers[port - 1];
        if (answer instanceof Error) throw answer;
        return { ...WELL, ...answer };
      },
    },
  );
  for (const { status, remedy } of found) {
    assert.ok(status === 'ok' || status === 'note' || (remedy?.length ?? 0) > 5, 'a warning or problem has a remedy');
  }
  return found.map(({ status, what, remedy }) => `${status}: ${what}${remedy === undefined ? '' : `; ${remedy}`}`);
}

test('a store answers, may be read, and forgets nothing', async () => {
  assert.deepEqual(await look({ asStore: true }, {}), [
    'ok: a:1 answers, as version 7.0.15',
    'ok: a:1 has maxmemory 1024 MiB and maxmemory-policy noeviction',
  ]);
  const memory = { maxBytes: 2 ** 30, policy: 'allkeys-lru' };
  const [, vanishing] = await look({ asStore: true }, { memory });
  assert.match(
    vanishing,
    /^problem: .*feature rows vanish, which look like missing features; CONFIG SET maxmemory-policy noeviction/,
  );
  const [, both] = await look({ asStore: true, asSecondLevel: true }, { memory });
  assert.match(both, /^problem: .*volatile-ttl, which forgets only what the second level keeps/);
});

test('a second level forgets before it is full, and its master takes writes', async () => {
  const second = { asSecondLevel: true };
  const unbounded = await look(second, { memory: { maxBytes: 0, policy: 'noeviction' } });
  assert.match(
    unbounded[1],
    /^warning: a:1 has no maxmemory .*grows until the machine runs out of memory; .*allkeys-lfu/,
  );
  assert.match((await look(second, {}))[1], /^warning: .*when it is full, it caches nothing more; .*allkeys-lfu/);
  const lfu = { maxBytes: 2 ** 30, policy: 'allkeys-lfu' };
  assert.match((await look(second, { memory: lfu }))[1], /^ok: /);
  assert.match((await look(second, { memory: lfu, role: 'slave' }))[1], /^warning: a:1 is a replica.*name its master/);
  assert.match((await look(second, { memory: undefined }))[1], /^note: a:1 does not disclose its maxmemory-policy/);
});

test('what a user may not do is named as an ACL names it', async () => {
  const [, store] = await look({ asStore: true }, { refused: ['hgetall'] });
  assert.match(
    store,
    /^problem: a:1 does not let this user have hgetall; give it \+hgetall, for example: ACL SETUSER NAME \+hgetall/,
  );
  const [, second] = await look({ asSecondLevel: true }, { refused: ['set', 'eval'] });
  assert.match(second, /^warning: .* set, eval: nothing is kept for others; give it \+set \+eval/);
});

test('one that is away is a problem for a store, a warning for a second level and among several', async () => {
  assert.match(
    (await look({ asStore: true }, AWAY))[0],
    /^problem: .*ECONNREFUSED\); start it, or correct connections\.redis/,
  );
  assert.match((await look({ asSecondLevel: true }, AWAY))[0], /^warning: /);
  const several = await look({ asStore: true, cluster: true }, AWAY, { cluster: CLUSTER });
  assert.match(several[0], /^warning: /);
  assert.equal(several.at(-1), 'ok: the cluster answers for all 16384 slots');
  assert.match((await look({}, {}))[0], /^note: connections\.redis is set, but nothing reads from it/);
});

test('a cluster answers for all slots, with somebody to stand in for each master', async () => {
  const last = async (cluster: Partial<typeof CLUSTER> | undefined): Promise<string | undefined> =>
    (await look({ asStore: true, cluster: true }, { cluster: cluster && { ...CLUSTER, ...cluster } })).at(-1);
  assert.match(
    String(await last({ assigned: 16_000 })),
    /^problem: 384 of the cluster's 16384 slots are unassigned.*--cluster fix/,
  );
  assert.match(
    String(await last({ ok: false, served: 11_000 })),
    /^problem: the cluster is down: 5384 of .*CLUSTER FAILOVER TAKEOVER/,
  );
  const alone = await look({ asStore: true, cluster: true }, { cluster: { ...CLUSTER, alone: ['a:1'] } });
  assert.match(String(alone.at(-1)), /^warning: no replica could replace a:1: .*add-node/);
  const failing = await look({ asStore: true, cluster: true }, { cluster: { ...CLUSTER, failing: ['c:3'] } });
  assert.ok(failing.some((line) => /^warning: the cluster does not reach its node c:3; start it/.test(line)));
  assert.match(String(await last(undefined)), /^note: this user may not read the slots of the cluster/);
});

test('a certificate is good for a month at least', async () => {
  const [, certificate] = await look({ asStore: true }, { certificateEndsMs: Date.parse('2026-01-10') });
  assert.equal(certificate, 'warning: that of a:1 ends in 9 days, on 2026-01-10; have it renewed');
});
