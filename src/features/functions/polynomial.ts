import { type NumericValue, vector } from '../value.ts';

/**
 * Products of elements of a vector, degree by degree: each product of degree d is one of degree d - 1 times a factor that does
 * not come before its last one. `v` is stored, so that elements can be read by a variable index.
 */
export function polynomial(
  v: NumericValue,
  degree: number,
  different: boolean,
  maxWidth: number,
  fail: (message: string) => never,
): NumericValue {
  const parents: number[] = [];
  const factors: number[] = [];
  let [from, to] = [0, 0];
  for (let d = 1; d <= degree; d++) {
    const before = d === 1 ? [-1] : Array.from({ length: to - from }, (_, k) => from + k);
    from = to;
    for (const parent of before) {
      const first = parent < 0 ? 0 : factors[parent] + (different ? 1 : 0);
      for (let factor = first; factor < v.width; factor++) {
        parents.push(parent);
        factors.push(factor);
        if (parents.length > maxWidth)
          fail(`degree ${degree} of ${v.width} elements makes more than ${maxWidth} columns`);
      }
    }
    to = parents.length;
  }
  let room: string | undefined;
  return vector(parents.length, v.missing, ({ root }, k) => {
    if (room === undefined) {
      const products = root.program.scratch(parents.length);
      root.each(v.width, (block, j) => block.push(`${products}[${j}] = ${v.code(block, j)};`));
      if (parents.length > v.width) {
        const parent = root.program.constant(Int32Array.from(parents));
        const factor = root.program.constant(Int32Array.from(factors));
        const m = root.program.name('j');
        const product = `${products}[${parent}[${m}]] * ${products}[${factor}[${m}]]`;
        root.push(`for (let ${m} = ${v.width}; ${m} < ${parents.length}; ${m}++) ${products}[${m}] = ${product};`);
      }
      room = products;
    }
    return `${room}[${k}]`;
  });
}
