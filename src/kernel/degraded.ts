/**
 * How an answer was come by where it is less than what the topology asks for: a set of bits, one per record. 0: in no way.
 * A topology allows it with `onOverload`; the output says it in `sluice-degraded`, names in this order, comma-joined.
 */
export const DEGRADED = ['stale-cache', 'default-features', 'smaller-model'] as const;

/** A feature row was used beyond its time to live. */
export const STALE_CACHE = 1;
/** A feature row counts as missing that the store was not asked for, or did not answer. */
export const DEFAULT_FEATURES = 2;
/** Another bundle than `model.bundle` scored it. */
export const SMALLER_MODEL = 4;

export function degradedText(how: number): string {
  return DEGRADED.filter((_, bit) => (how & (1 << bit)) !== 0).join(',');
}
