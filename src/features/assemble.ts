import type { Program } from './emit.ts';
import { helpersOf } from './helpers.ts';

export interface Assembled {
  readonly text: string;
  /** Makes the function; besides Math, NaN and typed arrays, the code's only names are those of `deps`. */
  evaluate(deps: Readonly<Record<string, unknown>>): unknown;
}

/** Puts a program's source together: the helpers it uses, setup, and the function itself. */
export function assemble(program: Program, lines: readonly string[]): Assembled {
  const main = lines.join('\n');
  const text = ["'use strict';", ...helpersOf(main), ...program.setup, main, ''].join('\n');
  return {
    text,
    evaluate: (deps) => {
      // Generated code consists only of names, literals and operators made in this folder: see the promise in emit.ts.
      const make = new Function('constants', ...Object.keys(deps), text);
      return make(program.constants, ...Object.values(deps));
    },
  };
}

export function indent(lines: readonly string[], depth: number): string[] {
  return lines.map((line) => '  '.repeat(depth) + line);
}
