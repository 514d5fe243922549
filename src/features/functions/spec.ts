import type { Block } from '../emit.ts';
import { ExpressionError } from '../syntax.ts';
import type { Transforms } from '../transforms.ts';
import {
  type Absence,
  describe,
  isNumeric,
  type NumericValue,
  read,
  scalar,
  union,
  type Value,
  vector,
} from '../value.ts';

/** One function of the expression language: its entry in the reference, its examples (which run as tests), and its code. */
export interface FunctionSpec {
  readonly name: string;
  readonly signature: string;
  readonly doc: string;
  readonly formula: string;
  /** What becomes of missing (null, NaN) and impossible arguments. */
  readonly missing: string;
  readonly example: Example;
  /** Further examples: results for missing and unknown values. */
  readonly more?: readonly Example[];
  readonly build: (call: Call) => Value;
}

/** `gives`: NaN for missing; a string is a label. */
export interface Example {
  readonly expression: string;
  readonly gives: number | string | readonly number[];
  /** Fields of the event that the expression names. */
  readonly given?: Readonly<Record<string, number | string | null | readonly number[]>>;
}

/** The hint for a union. */
const OF_UNION = '; number(…) and text(…) take the values of their type from a union';

/** A function at the place where it is called. Its methods throw an ExpressionError if the arguments do not fit. */
export class Call {
  readonly spec: FunctionSpec;
  readonly args: readonly Value[];
  readonly at: number;
  readonly lineIndex: number;
  /** Exports of the bundle's own files. */
  readonly transforms: Transforms;
  private readonly places: readonly number[];

  constructor(
    spec: FunctionSpec,
    args: readonly Value[],
    places: readonly number[],
    at: number,
    lineIndex: number,
    transforms: Transforms,
  ) {
    this.spec = spec;
    this.args = args;
    this.places = places;
    this.at = at;
    this.lineIndex = lineIndex;
    this.transforms = transforms;
  }

  /** Where an argument begins. */
  placeOf(argument: number): number {
    return this.places[argument] ?? this.at;
  }

  fail(message: string, argument?: number): never {
    const at = argument === undefined ? this.at : this.placeOf(argument);
    throw new ExpressionError(at, `${this.spec.name}: ${message}`, `write ${this.spec.signature}${this.ofUnion()}`);
  }

  /** The hint, if an argument is a union. */
  private ofUnion(): string {
    return this.args.some(({ kind }) => kind === 'mixed') ? OF_UNION : '';
  }

  arity(least: number, most = least): void {
    const given = this.args.length;
    if (given >= least && given <= most) return;
    const count =
      least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`;
    this.fail(`takes ${count} argument${count === '1' ? '' : 's'}, not ${given}`);
  }

  /** A number or a vector. */
  numeric(i: number): NumericValue {
    const value = this.args[i];
    if (!isNumeric(value)) {
      const message = `${this.spec.name}: argument ${i + 1} is ${describe(value)}, not a number`;
      const from =
        value.kind === 'string' || value.kind === 'text'
          ? '; to turn text into numbers, use oneHot, hashBucket, label or number'
          : this.ofUnion();
      throw new ExpressionError(this.placeOf(i), message, `write ${this.spec.signature}${from}`);
    }
    return value;
  }

  number(i: number): NumericValue {
    const value = this.numeric(i);
    if (value.kind !== 'number') this.fail(`argument ${i + 1} is ${describe(value)}, not one number`, i);
    return value;
  }

  vector(i: number): NumericValue {
    const value = this.args[i];
    if (value.kind === 'number' && value.column !== undefined) {
      const { view, name } = value.column;
      const remedy = `write "${name}[WIDTH]", such as "${name}[96]", in the columns of view ${view} in the topology`;
      throw new ExpressionError(this.places[i], `${this.spec.name}: ${view}.${name} has no width`, remedy);
    }
    if (value.kind !== 'vector') this.fail(`argument ${i + 1} is ${describe(value)}, not a vector`, i);
    return value;
  }

  /** A number known at compile time. */
  constant(i: number): number {
    const { constant } = this.number(i);
    if (constant === undefined) this.fail(`argument ${i + 1} must be a constant`, i);
    return constant;
  }

  /** A vector of numbers known at compile time. */
  constants(i: number, least = 1): readonly number[] {
    const { constants } = this.vector(i);
    if (constants === undefined) this.fail(`argument ${i + 1} must be a list of constants`, i);
    if (constants.length < least) this.fail(`argument ${i + 1} has fewer than ${least} elements`, i);
    return constants;
  }

  /** Constants in strictly increasing order. */
  rising(i: number, least = 1): readonly number[] {
    const values = this.constants(i, least);
    const wrong = values.findIndex((value, k) => k > 0 && value <= values[k - 1]);
    if (wrong > 0) this.fail(`${values[wrong]} is not above ${values[wrong - 1]}: the list must rise`, i);
    return values;
  }

  integer(i: number, least: number, most: number): number {
    const value = this.constant(i);
    if (!Number.isInteger(value) || value < least || value > most) {
      this.fail(`argument ${i + 1} must be a whole number from ${least} to ${most}, not ${value}`, i);
    }
    return value;
  }

  text(i: number): string {
    const value = this.args[i];
    if (value.kind !== 'text') this.fail(`argument ${i + 1} is ${describe(value)}, not a string in quotes`, i);
    return value.text;
  }

  /** This call as the reason why a value may be missing. */
  absence(message: string): Absence {
    return {
      what: `${this.spec.name}(…)`,
      severity: 'warning',
      message,
      remedy: `write ${this.spec.name}(…) ?? DEFAULT`,
      lineIndex: this.lineIndex,
      at: this.at,
    };
  }

  /** Element by element over arguments 0 to count - 1: numbers are repeated; vectors must have the same width. */
  map(count: number, code: (...atoms: string[]) => string, missing: readonly Absence[] = []): NumericValue {
    const values = Array.from({ length: count }, (_, i) => this.numeric(i));
    return elementwise(values, code, (i, message) => this.fail(message, i), missing);
  }
}

export function elementwise(
  values: readonly NumericValue[],
  code: (...atoms: string[]) => string,
  fail: (argument: number, message: string) => never,
  extra: readonly Absence[] = [],
): NumericValue {
  const missing = union(...values.map((value) => value.missing), extra);
  const first = values.find((value) => value.kind === 'vector');
  if (first === undefined) {
    return scalar(missing, (root) => code(...values.map((value) => read(value, root, 0))));
  }
  values.forEach((value, i) => {
    if (value.kind === 'vector' && value.width !== first.width) {
      fail(i, `a vector of ${value.width} cannot be combined with one of ${first.width}`);
    }
  });
  return vector(first.width, missing, (block, k) => code(...values.map((value) => read(value, block, k))));
}

/** A function that works element by element on all its arguments. */
export function elementwiseSpec(
  spec: Omit<FunctionSpec, 'build'>,
  count: number,
  code: (...atoms: string[]) => string,
): FunctionSpec {
  return {
    ...spec,
    build: (call) => {
      call.arity(count);
      return call.map(count, code);
    },
  };
}

/** The first argument, element by element, for code that needs the block to bind intermediate values. */
export function pointwise(call: Call, code: (x: string, block: Block) => string): NumericValue {
  const value = call.numeric(0);
  if (value.kind === 'number') return scalar(value.missing, (root) => code(read(value, root, 0), root));
  return vector(value.width, value.missing, (block, k) => code(read(value, block, k), block));
}
