import { CLEANSING } from './cleansing.ts';
import { ENCODING } from './encoding.ts';
import { MATH } from './math.ts';
import { OPERATORS } from './operators.ts';
import { OUTPUTS } from './outputs.ts';
import type { FunctionSpec } from './spec.ts';
import { TIME } from './time.ts';
import { VECTORS } from './vectors.ts';

/** Every function and operator, by family: what the reference page is made from. */
export const FAMILIES: Readonly<Record<string, readonly FunctionSpec[]>> = {
  operators: OPERATORS,
  math: MATH,
  cleansing: CLEANSING,
  time: TIME,
  encoding: ENCODING,
  vectors: VECTORS,
  outputs: OUTPUTS,
};

export const FUNCTIONS: ReadonlyMap<string, FunctionSpec> = new Map(
  Object.values(FAMILIES)
    .filter((family) => family !== OPERATORS)
    .flat()
    .map((spec) => [spec.name, spec]),
);

const OPERATOR_SPECS: ReadonlyMap<string, FunctionSpec> = new Map(OPERATORS.map((spec) => [spec.name, spec]));

/** `name` comes from the syntax tree, which knows no other operators. */
export function operatorSpec(name: string): FunctionSpec {
  return OPERATOR_SPECS.get(name) as FunctionSpec;
}
