/**
 * Fate: the one thing that becomes of a record, as a byte in its frame's `fate` column.
 * A stage may change OPEN into something else, never back; later stages skip what is not OPEN.
 * Reason: why, as a byte in the `reason` column, an index into REASONS.
 */
export const OPEN = 0;
export const PUBLISHED = 1;
export const DEAD_LETTERED = 2;
export const DROPPED = 3;

export const FATES = ['open', 'published', 'dead-lettered', 'dropped'] as const;

/** Reason codes: a contract with readers of dead letters and metrics. Append only. */
export const REASONS = [
  'none',
  'decode-failed',
  'schema-unknown',
  'too-large',
  'tombstone',
  'feature-missing',
  'feature-stale',
  'feature-not-finite',
  'model-failed',
  'output-not-finite',
  'encode-failed',
  'unpublishable',
  'stage-failed',
  'quarantined',
  'batch-unreadable',
  'skipped',
  'details-missing',
  'details-stale',
] as const;

export type Reason = (typeof REASONS)[number];

const INDEX: ReadonlyMap<string, number> = new Map(REASONS.map((name, index) => [name, index]));

/** The byte that stands for a reason in a frame. */
export function reasonCode(reason: Reason): number {
  return INDEX.get(reason) as number;
}

/** The stage that gave a reason, as dead letters name it in `__dlq.errors.stage`. */
export const STAGE_OF_REASON: Readonly<Record<Reason, string>> = Object.freeze({
  none: 'none',
  'decode-failed': 'decode',
  'schema-unknown': 'decode',
  'too-large': 'source',
  tombstone: 'decode',
  'feature-missing': 'enrich',
  'feature-stale': 'enrich',
  'feature-not-finite': 'preprocess',
  'model-failed': 'infer',
  'output-not-finite': 'postprocess',
  'encode-failed': 'encode',
  unpublishable: 'deliver',
  // Any stage may fail on a record; the frame's `failedIn` says which one did.
  'stage-failed': 'unknown',
  quarantined: 'source',
  'batch-unreadable': 'source',
  skipped: 'source',
  'details-missing': 'details',
  'details-stale': 'details',
});
