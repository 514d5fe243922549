/** Durations and sizes as people write them, `50ms` and `64MiB`. The unit is mandatory: a bare number is undefined. */
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
export const SIZE_PATTERN = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/;

/** Milliseconds, whole; undefined for anything that is not a number with a unit of ms, s, m, h or d. */
export function parseDurationMs(text: string): number | undefined {
  return scaled(DURATION_PATTERN.exec(text), MS_PER_UNIT);
}

/** Bytes, whole; undefined for anything that is not a number with a unit of B, KiB, MiB or GiB. */
export function parseSizeBytes(text: string): number | undefined {
  return scaled(SIZE_PATTERN.exec(text), BYTES_PER_UNIT);
}

function scaled(match: RegExpExecArray | null, units: Readonly<Record<string, number>>): number | undefined {
  if (match === null) return undefined;
  const value = Number(match[1]) * units[match[2]];
  const whole = Math.round(value);
  // A fraction of the smallest unit (0.5ms) cannot be kept, and rounding it away would be a silent repair.
  return Number.isSafeInteger(whole) && Math.abs(value - whole) < 1e-6 ? whole : undefined;
}

/** As people write it, in the largest unit that divides it evenly. */
export function formatDuration(ms: number): string {
  const [unit, each] = Object.entries(MS_PER_UNIT).findLast(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / each}${unit}`;
}
