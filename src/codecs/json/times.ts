import type { AvroType } from '../avro/schema.ts';
import { isDigit } from './scan.ts';

/**
 * Times as text in JSON, in the RFC 3339 profile of ISO 8601: `2024-05-01`, `12:30:00.5`, `2024-05-01T12:30:00Z` or with
 * `+02:00`; the T may be a space. Undefined for types that are not times, and for nanoseconds, which a double cannot hold.
 */
export interface TimeText {
  readonly date: boolean;
  readonly time: boolean;
  /** Whether an offset from UTC is required; otherwise none is allowed. */
  readonly zoned: boolean;
  readonly perSecond: number;
  /** For a date alone: seconds per unit. */
  readonly secondsEach: number;
}

const PARTS: Readonly<Record<string, Pick<TimeText, 'date' | 'time' | 'zoned'>>> = {
  date: { date: true, time: false, zoned: false },
  time: { date: false, time: true, zoned: false },
  timestamp: { date: true, time: true, zoned: true },
  'local-timestamp': { date: true, time: true, zoned: false },
};
const PER_SECOND: Readonly<Record<string, number>> = { millis: 1e3, micros: 1e6 };

export function timeTextOf(type: AvroType): TimeText | undefined {
  const [, what, unit] = /^(date|time|timestamp|local-timestamp)(?:-(millis|micros))?$/.exec(logicalTypeOf(type)) ?? [];
  if (what === undefined || (what === 'date') !== (unit === undefined)) return undefined;
  const wanted = what === 'date' || (what === 'time' && unit === 'millis') ? 'int' : 'long';
  if (type.type !== wanted) return undefined;
  return { ...PARTS[what], perSecond: PER_SECOND[unit] ?? 1, secondsEach: what === 'date' ? 86_400 : 1 };
}

function logicalTypeOf(type: AvroType): string {
  return 'logicalType' in type ? (type.logicalType ?? '') : '';
}

/** The result of `digits`. */
let read = 0;

/**
 * Text [start, end) as a count in the type's unit → into[at]; finer digits are cut off. False: it is not such a text, or names a
 * day or time that does not exist.
 */
export function readTime(
  bytes: Buffer,
  start: number,
  end: number,
  type: TimeText,
  into: Float64Array,
  at: number,
): boolean {
  let seconds = 0;
  let fraction = 0;
  if (type.date) {
    if (end - start < 10 || bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return false;
    if (!digits(bytes, start, 4)) return false;
    const year = read;
    if (!digits(bytes, start + 5, 2)) return false;
    const month = read;
    if (!digits(bytes, start + 8, 2) || month < 1 || month > 12) return false;
    const day = read;
    if (day < 1 || day > daysIn(year, month)) return false;
    seconds = 86_400 * dayNumber(year, month, day);
    start += 10;
    if (type.time) {
      if (start >= end || (bytes[start] !== 0x54 && bytes[start] !== 0x74 && bytes[start] !== 0x20)) return false;
      start++;
    }
  }
  if (type.time) {
    if (end - start < 8 || bytes[start + 2] !== 0x3a || bytes[start + 5] !== 0x3a) return false;
    if (!digits(bytes, start, 2) || read > 23) return false;
    seconds += 3_600 * read;
    if (!digits(bytes, start + 3, 2) || read > 59) return false;
    seconds += 60 * read;
    if (!digits(bytes, start + 6, 2) || read > 59) return false;
    seconds += read;
    start += 8;
    if (start < end && bytes[start] === 0x2e) {
      const point = ++start;
      let unit = type.perSecond;
      for (; start < end && isDigit(bytes[start]); start++) {
        unit /= 10;
        if (unit >= 1) fraction += unit * (bytes[start] - 0x30);
      }
      if (start === point) return false;
    }
  }
  if (type.zoned) {
    if (start >= end) return false;
    const sign = bytes[start++];
    if (sign === 0x2b || sign === 0x2d) {
      if (end - start !== 5 || bytes[start + 2] !== 0x3a || !digits(bytes, start, 2) || read > 23) return false;
      let offset = 3_600 * read;
      if (!digits(bytes, start + 3, 2) || read > 59) return false;
      offset += 60 * read;
      seconds -= sign === 0x2b ? offset : -offset;
      start += 5;
    } else if (sign !== 0x5a && sign !== 0x7a) {
      return false;
    }
  }
  if (start !== end) return false;
  into[at] = (seconds / type.secondsEach) * type.perSecond + fraction;
  return true;
}

/** As readTime, for the first of the types that the text fits. */
export function readFirstTime(
  bytes: Buffer,
  start: number,
  end: number,
  types: readonly TimeText[],
  into: Float64Array,
  at: number,
): boolean {
  for (let k = 0; k < types.length; k++) if (readTime(bytes, start, end, types[k], into, at)) return true;
  return false;
}

function digits(bytes: Buffer, at: number, count: number): boolean {
  read = 0;
  for (const end = at + count; at < end; at++) {
    if (!isDigit(bytes[at])) return false;
    read = read * 10 + bytes[at] - 0x30;
  }
  return true;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return 31 - (((month - 1) % 7) % 2);
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
}

/** Days since 1970-01-01. Years are counted from March, so that the leap day comes last. */
function dayNumber(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const sinceMarch = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + sinceMarch - 719_468;
}
