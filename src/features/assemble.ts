import type { Program } from './emit.ts';
import { MOD_HELPER } from './functions/math.ts';
import { SAME_HELPER } from './functions/operators.ts';
import { CIVIL_HELPER } from './functions/time.ts';

export interface Assembled {
  readonly text: string;
  /** Makes the function; `deps` are its only names besides Math, NaN and typed arrays. */
  evaluate(deps: Readonly<Record<string, unknown>>): unknown;
}

const HELPERS = [MOD_HELPER, SAME_HELPER, CIVIL_HELPER];

/** Puts a program's source together: helpers that are used, setup, and the function itself. */
export function assemble(program: Program, lines: readonly string[]): Assembled {
  const main = lines.join('\n');
  const helpers = HELPERS.filter((helper) => main.includes(`${/\$\w+/.exec(helper)?.[0]}(`));
  const text = ["'use strict';", ...helpers, ...program.setup, main, ''].join('\n');
  return {
    text,
    evaluate: (deps) => {
      // Generated code is made of names, literals and operators of this folder only: see the promise in emit.ts.
      const make = new Function('constants', ...Object.keys(deps), text);
      return make(program.constants, ...Object.values(deps));
    },
  };
}

export function indent(lines: readonly string[], depth: number): string[] {
  return lines.map((line) => '  '.repeat(depth) + line);
}
