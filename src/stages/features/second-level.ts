import { Breaker } from '../../kernel/calls/breaker.ts';
import type { ViewSpec } from '../../kernel/cells/views.ts';
import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { FeatureRead, FeatureStore, RowsOf } from '../../ports/feature-store.ts';
import type { SharedCache } from '../../ports/shared-cache.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { KeptRows, type KeptSettings } from './second-level-rows.ts';
import { WriteBehind } from './second-level-writes.ts';

export interface SecondLevelDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: Telemetry;
  readonly store: FeatureStore;
  readonly sharedCache: SharedCache;
}

/** Keys that are asked for at a time, at most; what comes beyond goes to the store. */
export const MOST_KEYS = 16_384;
/** Redis answered, and did not want us. */
const REFUSED: ReadonlySet<string> = new Set(['store-refused', 'login-refused', 'peer-untrusted']);
/** So long the start may wait for the shared cache. */
const OPEN_WITHIN_MS = 2_000;

/**
 * The second level of the feature cache: a feature store that looks on a shared cache that other processes share before it asks the
 * store, and keeps there what the store has answered, what it has not got too.
 *
 * Promise: whatever becomes of the shared cache, an answer is the store's: its own now, or one of no longer ago than the topology
 * says, with its ages. A shared cache that fails costs a frame its short time-out once or twice and nobody anything after that
 * (kernel/calls/breaker.ts); writes and marks are waited for by nobody. What is done without it is counted, with the reason.
 *
 * Rows of a changelog: an instance that hears that a row has changed drops it in memory, and marks it on the shared cache for all.
 * A read that began before may bring the old row to the shared cache after that → others would believe it for a whole ttl → a mark
 * stands for MARKED_MS and nothing is kept over it, and no row is kept that was asked for longer than TOO_OLD_MS ago.
 * A mark that could not be made → the old row is still there → this instance believes no row any more that was asked for
 * before. So it is at its start: what changed before it listened it cannot know.
 *
 * Limits: ages between processes are told by their wall clocks, CLOCKS_DIFFER_MS are allowed for; single flight is within a process.
 */
export function createSecondLevel(
  { clock, random, telemetry, store, sharedCache }: SecondLevelDeps,
  settingsOf: (read: RowsOf) => KeptSettings | undefined,
): FeatureStore {
  const { where } = sharedCache;
  let outSinceMs = 0;
  const breaker = new Breaker({
    clock,
    tryIt,
    onChange(open, why) {
      if (open) {
        outSinceMs = clock.monotonicMs();
        telemetry.event('second-level-out', { where, reason: classify(why).message });
        // What hangs there is given up with it.
        sharedCache.drop();
      } else {
        const outMs = Math.round(clock.monotonicMs() - outSinceMs);
        telemetry.event('second-level-back', { where, outMs });
      }
    },
  });
  telemetry.gauge('sluice_second_level_up', {}, () => (breaker.open ? 0 : 1));
  const writes = new WriteBehind({ clock, random, sharedCache, telemetry }, () => !breaker.open);
  const kept = new WeakMap<readonly ViewSpec[], Map<string, KeptRows | undefined>>();
  let underWay = 0;

  /** Undefined: rows of this read are not kept. */
  function rowsOf(read: RowsOf): KeptRows | undefined {
    const { views, from, table, layout } = read;
    let known = kept.get(views);
    if (known === undefined) {
      known = new Map();
      kept.set(views, known);
    }
    const name = `${from} ${layout} ${table}`;
    if (!known.has(name)) {
      const settings = settingsOf(read);
      known.set(name, settings && new KeptRows({ clock, telemetry, sharedCache, breaker }, read, settings));
    }
    return known.get(name);
  }

  /**
   * A turn of ours that takes long, such as a model run (cause) → timers come before what has arrived meanwhile, and an answer
   * that is here counts as late (effect) → after its time it has one more turn to be seen (guard).
   */
  async function inTime(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
    return (await within(clock, deadlineIn(clock, timeoutMs), work)) || within(clock, deadlineIn(clock, 0), work);
  }

  async function reached(work: Promise<unknown>, timeoutMs: number): Promise<void> {
    if (await inTime(work, timeoutMs)) return;
    throw new SluiceError('store-unavailable', `${where} did not answer within ${timeoutMs} ms`);
  }

  /** A try on a link that hangs would hang as long as that does → the next one has a link of its own. */
  async function tryIt(): Promise<void> {
    try {
      await reached(sharedCache.reach(), OPEN_WITHIN_MS);
    } catch (thrown) {
      sharedCache.drop();
      throw thrown;
    }
  }

  /** What the shared cache has goes to its rows; gives the indexes of the keys that are left. */
  async function look(rows: KeptRows, read: FeatureRead): Promise<readonly number[]> {
    const { keys } = read;
    if (breaker.open) return rows.bypassed(keys, 'out');
    if (underWay + keys.length > MOST_KEYS) return rows.bypassed(keys, 'busy');
    underWay += keys.length;
    const asked = sharedCache.get(rows.keysOf(keys)).finally(() => {
      underWay -= keys.length;
    });
    try {
      if (!(await inTime(asked, rows.timeoutMs))) {
        const text = `${where} did not answer for ${keys.length} kept rows within ${rows.timeoutMs} ms`;
        breaker.failed(new SluiceError('store-unavailable', text));
        return rows.bypassed(keys, 'timed-out');
      }
      const answers = await asked;
      breaker.succeeded();
      return rows.take(read, answers);
    } catch (thrown) {
      breaker.failed(thrown, true);
      return rows.bypassed(keys, REFUSED.has(classify(thrown).code) ? 'refused' : 'unavailable');
    }
  }

  async function readBoth(rows: KeptRows, read: FeatureRead): Promise<void> {
    const { keys, into, rowWidth, views } = read;
    const left = await look(rows, read);
    if (left.length === 0) return;
    const askedAtMs = clock.wallMs();
    const askedMonotonicMs = clock.monotonicMs();
    const all = left.length === keys.length;
    const some = all ? keys : left.map((k) => keys[k]);
    const part = all ? into : blank(left.length, rowWidth, views.length);
    try {
      await store.read(all ? read : { ...read, keys: some, into: part });
    } catch (error) {
      for (const numbers of [into.values, into.writtenAtMs, into.askedAtMs]) numbers?.fill(Number.NaN);
      throw error;
    }
    if (!all) {
      left.forEach((k, i) => {
        into.values.set(part.values.subarray(i * rowWidth, (i + 1) * rowWidth), k * rowWidth);
        into.writtenAtMs.set(part.writtenAtMs.subarray(i * views.length, (i + 1) * views.length), k * views.length);
      });
    }
    writes.add({ ...rows.writing, keys: some, rows: part, askedAtMs, askedMonotonicMs });
  }

  return {
    async open(tables) {
      await store.open(tables);
      // Its failure is no reason not to start.
      await reached(sharedCache.reach(), OPEN_WITHIN_MS).catch((thrown) => breaker.failed(thrown, true));
    },
    read(read) {
      const rows = read.keys.length === 0 ? undefined : rowsOf(read);
      return rows === undefined ? store.read(read) : readBoth(rows, read);
    },
    forget: (of, keys) => rowsOf(of)?.forget(keys),
    async close() {
      breaker.close();
      writes.close();
      sharedCache.close();
      await store.close();
    },
  };
}

function blank(keys: number, rowWidth: number, views: number) {
  return {
    values: new Float64Array(keys * rowWidth).fill(Number.NaN),
    writtenAtMs: new Float64Array(keys * views).fill(Number.NaN),
  };
}
