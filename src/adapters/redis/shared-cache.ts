/**
 * A shared cache (ports/shared-cache.ts) on Redis: one string per key, with an expiry.
 *
 * Promise: a row never replaces a newer one, nor a mark, whoever else writes at the same moment: Redis itself compares (KEEP).
 * Commands are sent in the order of the calls, so that a read after a mark sees the mark.
 * Limits: time-outs are left to the caller, who drops the link; nothing is repeated here.
 */
import type { Clock } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { SharedCache, SharedCacheEntry } from '../../ports/shared-cache.ts';
import { isReply, type RedisLink, type RedisOptions, translate, whereOf } from './connection.ts';
import { createLinks } from './links.ts';

/** The most keys per MGET: Redis serves nobody else meanwhile. */
const MOST_KEYS = 256;
const PROBE_KEY = Buffer.from('sluice:kept:probe');
const TAKES = 'a second level takes +get +mget +set +eval on ~sluice:kept:*';

/** Bytes 2 to 9 of a row are the time at which the store was asked; C is a mark: kernel/cells/kept-rows.ts. */
const KEEP = `local had = redis.call('GET', KEYS[1])
if had and #had >= 9 then
  if string.sub(had, 1, 1) == 'C' then return 0 end
  if struct.unpack('<d', had, 2) >= struct.unpack('<d', ARGV[1], 2) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

export function createRedisSharedCache(
  { clock }: { readonly clock: Clock },
  options: RedisOptions & { readonly openTimeoutMs?: number },
): SharedCache {
  const where = `Redis at ${whereOf(options)}`;
  const links = createLinks(clock, options, options.openTimeoutMs ?? 2_000);
  let closed = false;

  async function over<T>(what: string, work: (link: RedisLink) => Promise<T>): Promise<T> {
    if (closed) throw new SluiceError('store-unavailable', `${where} was left: the pipeline has ended`);
    try {
      return await work(await links.get());
    } catch (error) {
      throw translate(error, what, options, TAKES);
    }
  }

  /** Something else than a string has the key: empty, which is no row. */
  async function getOne(link: RedisLink, key: Buffer): Promise<Buffer | null> {
    try {
      return (await link.send(key, true, ['GET', key])) as Buffer | null;
    } catch (error) {
      if (isReply(error) && /^WRONGTYPE\b/.test((error as Error).message)) return Buffer.alloc(0);
      throw error;
    }
  }

  return {
    where,

    async reach() {
      await over('a look at kept rows', (link) => link.send(PROBE_KEY, true, ['GET', PROBE_KEY]));
    },

    get: (keys) =>
      over('a read of kept rows', async (link) => {
        if (options.cluster) return Promise.all(keys.map((key) => getOne(link, key)));
        const calls: Promise<unknown>[] = [];
        for (let at = 0; at < keys.length; at += MOST_KEYS) {
          const some = keys.slice(at, at + MOST_KEYS);
          calls.push(link.send(some[0], true, ['MGET', ...some]));
        }
        return ((await Promise.all(calls)) as (Buffer | null)[][]).flat();
      }),

    keep: (entries) =>
      over('a write of rows to keep', async (link) => {
        const kept = await Promise.all(
          entries.map(({ key, value, ttlMs }) =>
            link.send(key, false, ['EVAL', KEEP, '1', key, value, String(Math.ceil(ttlMs))]),
          ),
        );
        return kept.filter((answer) => answer === 1).length;
      }),

    mark: (entries: readonly SharedCacheEntry[]) =>
      over('a write that rows have changed', async (link) => {
        await Promise.all(
          entries.map(({ key, value, ttlMs }) =>
            link.send(key, false, ['SET', key, value, 'PX', String(Math.ceil(ttlMs))]),
          ),
        );
      }),

    drop: () => links.drop(),
    close() {
      closed = true;
      links.drop();
    },
  };
}
