import { ExpressionError } from '../syntax.ts';
import type { Transform } from '../transforms.ts';
import { type NumericValue, scalar, vector } from '../value.ts';
import type { Call, FunctionSpec } from './spec.ts';

const SHAPE = 'export const NAME = { takes: [1, 1], gives: 1, apply(given, made) { made[0] = … } }';

export const OWN: readonly FunctionSpec[] = [
  {
    name: 'use',
    signature: 'use("./transforms.ts", "name", x, …)',
    doc: 'A function of your own, from a TypeScript or JavaScript file in the bundle: what the file exports under the name, `{ takes, gives, apply }`. `takes` lists the widths of its arguments, 1 for a number, `gives` is the width of the result; `apply(given, made)` finds the arguments one after the other in the Float64Array `given` and fills `made`. The file may import only files of the bundle, so that the digest vouches for it.',
    formula: 'what apply puts into made',
    missing: 'The function gets NaN for missing and decides; a result that is NaN is missing.',
    example: { expression: 'use("./transforms.ts", "hypotenuse", 3, 4)', gives: 5 },
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const transform = wanted(call, call.text(0), call.text(1));
      const values = call.args.slice(2).map((_, i) => call.numeric(i + 2));
      if (values.length !== transform.takes.length) {
        call.fail(`${call.text(1)} takes ${transform.takes.length} values, not ${values.length}`);
      }
      for (const [i, { width }] of values.entries()) {
        const takes = transform.takes[i];
        if (width !== takes) call.fail(`value ${i + 1} of ${call.text(1)} is ${takes} wide, not ${width}`, i + 2);
      }
      return applied(transform, values);
    },
  },
];

function wanted(call: Call, file: string, name: string): Transform {
  const found = call.transforms.get(file);
  if (found === undefined) return call.fail(`there is no file ${file} in the bundle`, 0);
  if ('problem' in found) throw new ExpressionError(call.placeOf(0), `use: ${file} ${found.problem}`, found.remedy);
  const transform = found.get(name);
  if (transform !== undefined) return transform;
  const known = [...found.keys()].join(', ') || 'none';
  throw new ExpressionError(call.placeOf(1), `use: ${file} exports no transform ${name}; it exports: ${known}`, SHAPE);
}

function applied(transform: Transform, values: readonly NumericValue[]): NumericValue {
  const width = transform.takes.reduce((sum, takes) => sum + takes, 0);
  let room: string | undefined;
  const code: NumericValue['code'] = ({ root }, k) => {
    if (room === undefined) {
      const [given, made] = [root.program.scratch(width), root.program.scratch(transform.gives)];
      let first = 0;
      for (const value of values) {
        const offset = first;
        root.each(value.width, (block, j) => block.push(`${given}[${offset} + ${j}] = ${value.code(block, j)};`));
        first += value.width;
      }
      const apply = root.program.constant((a: Float64Array, b: Float64Array) => transform.apply(a, b));
      root.push(`${made}.fill(NaN);`);
      root.push(`${apply}(${given}, ${made});`);
      room = made;
    }
    return `${room}[${k}]`;
  };
  // Each use has its own scratch memory, and its result stays there until the next record.
  return transform.gives === 1 ? scalar([], (root) => code(root, 0)) : vector(transform.gives, [], code);
}
