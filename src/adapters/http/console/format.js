// @ts-check
/** Figures for people: short, and of the same width from one second to the next. What is not known is a dash. */

/** @typedef {number | null | undefined} Figure */

export const UNKNOWN = '–';

/** @param {Figure} value */
export function count(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value >= 1e7) return `${(value / 1e6).toFixed(1)} M`;
  if (value > 0 && value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  return Math.round(value).toLocaleString('en');
}

/** @param {Figure} value */
export function rate(value) {
  return value === null || value === undefined ? UNKNOWN : `${count(value)}/s`;
}

/** @param {Figure} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds === 0) return '0 s';
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.01) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/**
 * Until lag is gone.
 * @param {{ readonly drainSeconds: Figure, readonly neverDrains: boolean }} lag
 */
export function drain({ drainSeconds, neverDrains }) {
  return neverDrains ? 'never' : duration(drainSeconds);
}

/** @param {Figure} ratio */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return UNKNOWN;
  if (ratio > 0 && ratio < 0.01) return '<1 %';
  return `${Math.floor(ratio * 100)} %`;
}

/** @param {Figure} value */
export function bytes(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(0)} KiB`;
  if (value < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(0)} MiB`;
  return `${(value / 1024 ** 3).toFixed(1)} GiB`;
}

/**
 * Time of day, where whoever looks is.
 * @param {Figure} atMs
 */
export function clock(atMs) {
  if (atMs === null || atMs === undefined) return UNKNOWN;
  return new Date(atMs).toLocaleTimeString('en-GB');
}
