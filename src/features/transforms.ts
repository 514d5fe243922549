/**
 * A bundle's own function, for what expressions cannot say. It runs for every record, so it must be pure, and should allocate
 * as little as possible.
 */
export interface Transform {
  /** Widths of the arguments: 1 for a number, n for a vector of n. */
  readonly takes: readonly number[];
  /** Width of the result: 1 is a number. */
  readonly gives: number;
  /** `given`: all arguments, concatenated; missing is NaN. Fills `made`, which has the width `gives`. Both arrays are reused. */
  apply(given: Float64Array, made: Float64Array): void;
}

/** Why a file cannot be used. */
export interface BrokenFile {
  readonly problem: string;
  readonly remedy: string;
}

/** Exports of a bundle's files: by file name as in `use`, then by export name. */
export type Transforms = ReadonlyMap<string, ReadonlyMap<string, Transform> | BrokenFile>;

export const NO_TRANSFORMS: Transforms = new Map();
