/**
 * Feature store on Redis: a hash per row (rows.ts).
 *
 * Promise, as for Bigtable: a read answers for every key or rejects, within its time-out counted from the start of its first call, and
 * a store that is down is tried only now and then (kernel/calls/pace.ts). Nothing is repeated here.
 * Limits: Redis knows no tables or families, so a misspelt one looks like missing features. A hash is read as a whole, whatever
 * else is in it. Replicas are not read.
 */
import { createChunkedReads, type KeyedCall } from '../../kernel/calls/chunked-reads.ts';
import { type CellPlan, type CellTarget, planFamilies } from '../../kernel/cells/feature-cells.ts';
import type { ViewSpec } from '../../kernel/cells/views.ts';
import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { isReply, type RedisLink, type RedisOptions, translate, whereOf } from './connection.ts';
import { createLinks } from './links.ts';
import { HashRows, hashKey } from './rows.ts';

export interface RedisDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface RedisStoreOptions extends RedisOptions {
  /** Keys per call at most: commands that go out together. */
  readonly chunkKeys?: number;
  /** Calls in flight at most, over all reads. */
  readonly concurrency?: number;
  readonly openTimeoutMs?: number;
}

export function createRedisStore({ clock, telemetry }: RedisDeps, options: RedisStoreOptions): FeatureStore {
  const { chunkKeys = 128, concurrency = 32, openTimeoutMs = 10_000 } = options;
  const where = whereOf(options);
  const shapes = new WeakMap<readonly ViewSpec[], { readonly of: string; readonly rows: HashRows }>();
  const links = createLinks(clock, options, openTimeoutMs);
  let closed = false;

  const reads = createChunkedReads<RedisLink>(
    {
      clock,
      connected,
      onDeaf() {
        if (!links.held || closed) return;
        telemetry.counter('sluice_store_reconnects_total').add(1);
        telemetry.event('store-reconnecting', { instance: where });
        links.drop();
      },
      onResult: (result, calls) => telemetry.counter('sluice_store_calls_total', { result }).add(calls),
      failureOf: (thrown, table) => ({
        error: translate(thrown, `a read of table "${table}"`, options),
        result: isReply(thrown) ? 'refused' : 'unavailable',
        answered: isReply(thrown),
        overloaded: false,
      }),
    },
    { store: `Redis at ${where}`, chunkKeys, maxCalls: concurrency },
  );
  telemetry.gauge('sluice_store_calls_allowed', { store: 'redis' }, () => reads.allowed);

  async function connected(): Promise<RedisLink> {
    if (closed) throw new SluiceError('invariant-broken', 'the feature store is closed; nothing may be read from it');
    return links.get();
  }

  function rowsOf({ layout, views }: FeatureRead, table: string): HashRows {
    const kept = shapes.get(views);
    const of = `${layout} ${table}`;
    if (kept?.of === of) return kept.rows;
    const families = planFamilies(layout, views, (family, qualifier, problem) => {
      telemetry.event('feature-cell-unreadable', { table, family, qualifier, problem });
    });
    const rows = new HashRows(families);
    shapes.set(views, { of, rows });
    return rows;
  }

  /** Asks for hashes [from, to) at once; ends when each is in its row, or with the first that was refused. */
  function askFor(
    link: RedisLink,
    read: FeatureRead,
    target: CellTarget,
    from: number,
    to: number,
    isOver: () => boolean,
  ) {
    const rows = rowsOf(read, read.table);
    const one = async (k: number): Promise<void> => {
      const key = hashKey(read.table, read.keys[k]);
      let reply: unknown;
      try {
        reply = await link.send(key, true, ['HGETALL', key]);
      } catch (error) {
        // Something else than a hash has the row's name: the row is at fault, not the store.
        if (!isReply(error) || !/^WRONGTYPE\b/.test((error as Error).message)) throw error;
        if (!isOver()) target.onCorrupt(NO_HASH, 0);
        return;
      }
      reads.heard();
      if (!isOver()) rows.apply(target, k, reply);
    };
    const all: Promise<void>[] = [];
    for (let k = from; k < to; k++) all.push(one(k));
    const call: KeyedCall = { ended: Promise.all(all).then(() => undefined), cancel: () => {} };
    return call;
  }

  return {
    async open(tables) {
      for (const table of new Set(tables)) {
        const link = await connected();
        const key = hashKey(table, PROBE_KEY);
        const probe = link.send(key, true, ['HGETALL', key]).catch((error) => {
          throw translate(error, `a read of table "${table}"`, options);
        });
        if (await within(clock, deadlineIn(clock, openTimeoutMs), probe)) continue;
        links.drop();
        throw new SluiceError('store-unavailable', `Redis at ${where} did not answer within ${openTimeoutMs} ms`);
      }
    },

    async read(read) {
      if (closed) throw new SluiceError('invariant-broken', 'the feature store is closed; nothing may be read from it');
      const { keys, views, rowWidth, into, table, timeoutMs } = read;
      if (keys.length === 0) return;
      let corrupt: { plan: CellPlan; bytes: number } | undefined;
      let cells = 0;
      const onCorrupt = (plan: CellPlan, bytes: number): void => {
        corrupt ??= { plan, bytes };
        cells++;
      };
      const target: CellTarget = { viewCount: views.length, rowWidth, into, onCorrupt };
      const ask = (link: RedisLink, from: number, to: number, isOver: () => boolean) =>
        askFor(link, read, target, from, to, isOver);
      try {
        await reads.read({ table, keys: keys.length, timeoutMs, ask });
      } catch (error) {
        into.values.fill(Number.NaN);
        into.writtenAtMs.fill(Number.NaN);
        throw error;
      }
      if (corrupt === undefined) return;
      const { qualifier, expected } = corrupt.plan;
      telemetry.counter('sluice_feature_cells_unreadable_total', { table }).add(cells);
      telemetry.event('feature-cell-corrupt', { table, qualifier, bytes: corrupt.bytes, expected, cells });
    },

    async close() {
      closed = true;
      reads.close();
      links.drop();
    },
  };
}

const PROBE_KEY = Buffer.from('\0sluice');
const NO_HASH: CellPlan = {
  qualifier: '(the row)',
  copies: [],
  maxBytes: 0,
  expected: 'a hash',
  decode: () => null,
};
