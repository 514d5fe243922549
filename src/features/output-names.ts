import type { Names } from './check.ts';
import type { Program } from './emit.ts';
import { known } from './names.ts';
import { type Expr, ExpressionError } from './syntax.ts';
import type { OutputRef } from './types.ts';
import type { NumericValue, Value } from './value.ts';

/** A model output that generated code reads, where it is named `array`. */
export interface UsedOutput {
  readonly name: string;
  readonly width: number;
  readonly array: string;
  readonly elements: Set<number> | 'all';
}

/** Names after the model: its outputs, and `prediction.NAME` for the results of earlier lines. */
export class OutputNames implements Names {
  readonly predictions = new Map<string, Value | undefined>();
  /** In the order of frame.outputs. */
  readonly used: UsedOutput[] = [];
  private readonly outputs: ReadonlyMap<string, OutputRef>;

  constructor(outputs: readonly OutputRef[]) {
    this.outputs = new Map(outputs.map((output) => [output.name, output]));
  }

  name(name: string): Value | undefined {
    const output = this.outputs.get(name);
    return output === undefined ? undefined : this.value(output);
  }

  output(name: string): Value | undefined {
    return this.name(name);
  }

  member(object: string, name: string): Value | undefined {
    if (object !== 'prediction' || !this.predictions.has(name)) return undefined;
    return known(name, this.predictions.get(name));
  }

  /** An output of one value is a number; its `[0]` is the number itself, and no other index is valid. */
  indexed(of: Expr, index: number): Value | undefined {
    if (of.kind !== 'name') return undefined;
    const value = this.name(of.name);
    if (value?.kind !== 'number') return undefined;
    if (index === 0) return value;
    throw new ExpressionError(of.at, `${of.name} has one value per row`, `write ${of.name} or ${of.name}[0]`);
  }

  known(): readonly string[] {
    const earlier = [...this.predictions.keys()].map((name) => `prediction.${name}`);
    return [...this.outputs.keys(), ...earlier];
  }

  private value({ name, width }: OutputRef): NumericValue {
    return {
      kind: width === 1 ? 'number' : 'vector',
      width,
      missing: [],
      stored: true,
      code: ({ program }, k) => {
        const array = this.use(program, name, width, width === 1 ? 0 : k);
        return width === 1 ? `${array}[r]` : `${array}[r * ${width} + ${k}]`;
      },
    };
  }

  private use(program: Program, name: string, width: number, k: number | string): string {
    let slot = this.used.findIndex((used) => used.name === name);
    if (slot < 0) slot = this.used.length;
    const array = program.hoist(`outputs[${slot}]`);
    const before = this.used[slot]?.elements ?? new Set<number>();
    const elements = typeof k === 'number' && before !== 'all' ? before.add(k) : 'all';
    this.used[slot] = { name, width, array, elements };
    return array;
  }
}
