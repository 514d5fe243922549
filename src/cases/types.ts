import type { FeatureAges, FeatureTables, Plain } from './schema.ts';

/** A case that fits its topology: a record, the features found for it, and its expected outcome. */
export interface Case {
  readonly name: string;
  /** Its index in the file's list. */
  readonly index: number;
  /** Line of its name, 1-based. */
  readonly line: number;
  readonly column: number;
  readonly key: Buffer | null;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  readonly features: FeatureTables;
  readonly ages: FeatureAges;
  /** What the clock shows meanwhile; by default the time of the test. */
  readonly atMs: number | undefined;
  readonly expect: Expectation | undefined;
}

export type Expectation =
  | { readonly fate: 'published'; readonly fields: readonly ExpectedField[] }
  | { readonly fate: 'dead-lettered'; readonly reason: string }
  | { readonly fate: 'dropped' };

export interface ExpectedField {
  readonly name: string;
  readonly value: Plain;
  readonly tolerance: number;
}

/** What became of the record of a case. */
export type Outcome =
  | { readonly fate: 'published'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly fate: 'dead-lettered'; readonly reason: string; readonly stage: string }
  | { readonly fate: 'dropped'; readonly reason: string };

/** One difference from what was expected; `off` if both are numbers. */
export interface Difference {
  /** A field of the output; empty if the record met another fate. */
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  readonly off: number | undefined;
}
