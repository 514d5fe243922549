/**
 * The size, at least `count`, of memory that is to be reused: few sizes fit most needs, and none exceeds `count` by more than a
 * quarter of it, or by `least`, a power of two, where that is more.
 */
export function sizeFor(count: number, least: number): number {
  const step = Math.max(least, 1 << Math.max(0, 29 - Math.clz32(count)));
  return Math.max(step, Math.ceil(count / step) * step);
}
