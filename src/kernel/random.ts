/**
 * Random numbers in [0, 1) from a seed: for threads, which are given a seed where main has a source of its own, and for samples
 * and simulations. Small fast counting generator (sfc32, Chris Doty-Humphrey's PractRand); not for secrets.
 */
export function createRandom(seed: readonly [number, number, number]): () => number {
  let [a, b, c] = seed.map((part) => part | 0);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // Seeds that differ in few bits begin alike.
  for (let n = 0; n < 12; n++) next();
  return next;
}

/** The same from one number. */
export function seeded(seed: number): () => number {
  return createRandom([seed, 0, 0]);
}
