/**
 * In which ways a record was scored with less than the topology asks for: a set of bits per record, 0 for none.
 * A topology allows it with `onOverload`; the output says so in `sluice-degraded`, names in this order, joined by commas.
 */
export const DEGRADED = ['stale-cache', 'default-features', 'smaller-model'] as const;

/** A feature row was used beyond its time to live. */
export const STALE_CACHE = 1;
/** A feature row counts as missing because the store was not asked, or did not answer. */
export const DEFAULT_FEATURES = 2;
/** Another bundle than `model.bundle` scored it. */
export const SMALLER_MODEL = 4;

export function degradedText(how: number): string {
  return DEGRADED.filter((_, bit) => (how & (1 << bit)) !== 0).join(',');
}
