/**
 * Sizes for memory that is used again, in steps of a quarter: few sizes fit most needs, and none is above five quarters of what was
 * asked for, or `least`, a power of two.
 */
export function sizeFor(count: number, least: number): number {
  const step = Math.max(least, 1 << Math.max(0, 29 - Math.clz32(count)));
  return Math.max(step, Math.ceil(count / step) * step);
}
