import { CLEANSING } from './cleansing.ts';
import { ENCODING } from './encoding.ts';
import { GEO } from './geo.ts';
import { HASHING } from './hashing.ts';
import { LOOKUP } from './lookup.ts';
import { MATH } from './math.ts';
import { OPERATORS } from './operators.ts';
import { OUTPUTS } from './outputs.ts';
import { OWN } from './own.ts';
import { SCALING } from './scaling.ts';
import { SELECTION } from './selection.ts';
import type { FunctionSpec } from './spec.ts';
import { TEXTS } from './texts.ts';
import { TIME } from './time.ts';
import { VECTORS } from './vectors.ts';

/** Every function and operator, by family; the reference page is generated from it. */
export const FAMILIES: Readonly<Record<string, readonly FunctionSpec[]>> = {
  operators: OPERATORS,
  math: MATH,
  cleansing: CLEANSING,
  scaling: SCALING,
  time: TIME,
  geo: GEO,
  text: TEXTS,
  encoding: [...ENCODING, ...LOOKUP, ...HASHING],
  vectors: VECTORS,
  selection: SELECTION,
  outputs: OUTPUTS,
  'of your own': OWN,
};

export const FUNCTIONS: ReadonlyMap<string, FunctionSpec> = new Map(
  Object.values(FAMILIES)
    .filter((family) => family !== OPERATORS)
    .flat()
    .map((spec) => [spec.name, spec]),
);

const OPERATOR_SPECS: ReadonlyMap<string, FunctionSpec> = new Map(OPERATORS.map((spec) => [spec.name, spec]));

/** `name` comes from the syntax tree, which contains no other operators. */
export function operatorSpec(name: string): FunctionSpec {
  return OPERATOR_SPECS.get(name) as FunctionSpec;
}
