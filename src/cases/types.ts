import type { FeatureAges, FeatureTables, Plain } from './schema.ts';

/** A case that fits its topology: a record, the features it finds, and what must become of it. */
export interface Case {
  readonly name: string;
  /** Its place in the list of the file. */
  readonly index: number;
  /** 1-based, of its name. */
  readonly line: number;
  readonly column: number;
  readonly key: Buffer | null;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  readonly features: FeatureTables;
  readonly ages: FeatureAges;
  /** What the clock says meanwhile; the time of the test, if not given. */
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

/** One thing that is not as expected; `off` where both are numbers. */
export interface Difference {
  /** A field of the output; empty where the record has another fate. */
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  readonly off: number | undefined;
}
