import type { ChangeListener } from '../../ports/changelog.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { FeatureCache } from './cache.ts';
import type { FeatureFlights } from './single-flight.ts';

/**
 * What becomes of rows that have changed: neither what the cache has of them nor what is on its way is given to anybody who
 * asks from here on. Frames that have their rows, or wait for them, keep what they asked for before.
 *
 * A read that was under way when the row changed may bring the old one after the cache has dropped it (cause) → it would
 * stand there for a whole ttl (effect) → the call is told, and what it brings of that key is not kept (guard).
 * Limit: a store that answers with an old row after the changelog has named it, as a replica may, is believed.
 */
export function createChanges(
  { telemetry }: { readonly telemetry: Telemetry },
  view: string,
  cache: FeatureCache,
  flights: FeatureFlights,
): ChangeListener {
  const by = (result: string) => telemetry.counter('sluice_cache_invalidations_total', { view, result });
  const known = by('dropped');
  const unknown = by('unknown');
  // What has changed until here nobody has told us.
  flights.forget();
  return {
    changed(keys) {
      let dropped = 0;
      flights.forget(keys);
      for (const key of keys) {
        flights.outdate(key.toString('latin1'));
        if (cache.drop(key)) dropped++;
      }
      known.add(dropped);
      unknown.add(keys.length - dropped);
    },
    missed() {
      flights.forget();
      flights.outdateAll();
      known.add(cache.dropAll());
    },
  };
}
