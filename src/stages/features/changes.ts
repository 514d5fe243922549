import type { ChangeListener } from '../../ports/changelog.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { FeatureCache } from './cache.ts';
import type { FeatureFlights } from './single-flight.ts';

/**
 * Handles changed rows: from now on, neither the cached row nor one that is being read is given to new requests. Frames that already
 * have their rows, or wait for them, keep what they requested.
 *
 * A read in flight when the row changed may bring the old row after the cache has dropped it (cause) → it would stay there for a whole
 * ttl (effect) → the call is told, and its row for that key is not cached (guard).
 * Limit: if a store, such as a replica, still answers with the old row after the changelog has named it, that row is used.
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
