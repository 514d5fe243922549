/**
 * A function of a bundle's own, for what expressions do not say. Promise it must keep: the same values give the same result,
 * nothing else is touched, and it allocates nothing that it need not, because it runs for every record.
 */
export interface Transform {
  /** Widths of the arguments: 1 for a number, n for a vector of n. */
  readonly takes: readonly number[];
  /** Width of the result: 1 is a number. */
  readonly gives: number;
  /** `given`: all arguments one behind the other, missing is NaN. Fills `made`, as long as `gives`. Both are used again. */
  apply(given: Float64Array, made: Float64Array): void;
}

/** Why a file cannot be used. */
export interface BrokenFile {
  readonly problem: string;
  readonly remedy: string;
}

/** What a bundle's files export, by the name of the file as `use` has it, then by name. */
export type Transforms = ReadonlyMap<string, ReadonlyMap<string, Transform> | BrokenFile>;

export const NO_TRANSFORMS: Transforms = new Map();
