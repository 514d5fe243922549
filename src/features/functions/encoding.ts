import { anyMissing, numberCode } from '../emit.ts';
import { read, vector } from '../value.ts';
import type { FunctionSpec } from './spec.ts';

/** Widest vector that an encoding may make. */
const MAX_WIDTH = 65_536;
const MAX_HARMONICS = 64;

export const ENCODING: readonly FunctionSpec[] = [
  {
    name: 'cyclic',
    signature: 'cyclic(x, period, harmonics)',
    doc: 'Sine and cosine of x on a circle, so that the end of a day lies beside its beginning: sin1, cos1, sin2, cos2, … Period and harmonics are constants; harmonics is 1 where left out.',
    formula: 'sin(2πh·x / period), cos(2πh·x / period) for h = 1 … harmonics',
    missing: 'A missing x gives missing throughout.',
    example: { expression: 'cyclic(0, 1440, 2)', gives: [0, 1, 0, 1] },
    build: (call) => {
      call.arity(2, 3);
      const x = call.number(0);
      const period = call.constant(1);
      if (period <= 0) call.fail('the period must be above 0', 1);
      const harmonics = call.args.length === 3 ? call.integer(2, 1, MAX_HARMONICS) : 1;
      return vector(2 * harmonics, x.missing, (block, k) => {
        const angle = block.root.bind(`${numberCode(2 * Math.PI)} * ${read(x, block, 0)} / ${numberCode(period)}`);
        if (typeof k === 'number') return `Math.${k % 2 === 0 ? 'sin' : 'cos'}(${(k >> 1) + 1} * ${angle})`;
        const turned = block.bind(`((${k} >> 1) + 1) * ${angle}`);
        return `(${k} % 2 === 0 ? Math.sin(${turned}) : Math.cos(${turned}))`;
      });
    },
  },
  {
    name: 'oneHot',
    signature: 'oneHot(x, n)',
    doc: 'n columns: 1 in column x, 0 elsewhere. An x that is none of 0 … n-1 gives zeros. n is a constant.',
    formula: '1 if x = k, else 0, for k = 0 … n-1',
    missing: 'A missing x gives missing throughout.',
    example: { expression: 'oneHot(2, 4)', gives: [0, 0, 1, 0] },
    build: (call) => {
      call.arity(2);
      const x = call.number(0);
      const width = call.integer(1, 1, MAX_WIDTH);
      return vector(width, x.missing, (block, k) => {
        const atom = read(x, block, 0);
        return `(${anyMissing(atom)} ? NaN : ${atom} === ${k} ? 1 : 0)`;
      });
    },
  },
];
