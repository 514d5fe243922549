import type { EventSpec } from './events.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Suppression {
  /** The fields to write, including what was suppressed before; undefined if this line is suppressed too. */
  admit(name: string, spec: EventSpec, fields: Fields, nowMs: number): Fields | undefined;
  /** Writes one line for each event whose window is over and that has suppressed lines; for all of them if `nowMs` is infinite. */
  release(nowMs: number, write: (name: string, fields: Fields) => void): void;
}

interface Held {
  readonly name: string;
  readonly spec: EventSpec;
  untilMs: number;
  lines: number;
  sum: number;
  last: Fields;
}

/** Maximum number of windows, one per event × value of its `per` field; beyond it, an event has one shared window. */
const MAX_KEYS = 256;

/**
 * Suppresses repetitions of rate-limited events and reports their number (`suppressed`), so that a flood of bad records cannot become
 * a flood of lines. The first line of a kind is never suppressed.
 */
export function createSuppression(): Suppression {
  const held = new Map<string, Held>();
  let holding = 0;

  function keyOf(name: string, spec: EventSpec, fields: Fields): string {
    const key = spec.per === undefined ? name : `${name} ${String(fields[spec.per]).slice(0, 100)}`;
    return held.has(key) || held.size < MAX_KEYS ? key : name;
  }

  function add(entry: Held, fields: Fields): void {
    if (entry.lines === 0) holding++;
    entry.lines++;
    if (entry.spec.sum !== undefined) entry.sum += Number(fields[entry.spec.sum] ?? 1);
    entry.last = fields;
  }

  function clear(entry: Held, untilMs: number): void {
    if (entry.lines > 0) holding--;
    entry.lines = 0;
    entry.sum = 0;
    entry.untilMs = untilMs;
  }

  /** `told`: how many of the suppressed lines this line itself reports. */
  function merged(entry: Held, fields: Fields, sum: number, told: number): Fields {
    const suppressed = entry.lines - told;
    const extra: Record<string, unknown> = {};
    if (entry.spec.sum !== undefined && entry.lines > 0) extra[entry.spec.sum] = sum;
    if (suppressed > 0) extra.suppressed = suppressed;
    return { ...fields, ...extra };
  }

  return {
    admit(name, spec, fields, nowMs) {
      if (spec.everyMs === undefined) return fields;
      const key = keyOf(name, spec, fields);
      const entry = held.get(key);
      if (entry === undefined) {
        held.set(key, { name, spec, untilMs: nowMs + spec.everyMs, lines: 0, sum: 0, last: fields });
        return fields;
      }
      if (nowMs < entry.untilMs) {
        add(entry, fields);
        return undefined;
      }
      const own = spec.sum === undefined ? 0 : Number(fields[spec.sum] ?? 1);
      const line = merged(entry, fields, entry.sum + own, 0);
      clear(entry, nowMs + spec.everyMs);
      return line;
    },
    release(nowMs, write) {
      if (holding === 0) return;
      for (const entry of held.values()) {
        if (entry.lines === 0 || nowMs < entry.untilMs) continue;
        const line = merged(entry, entry.last, entry.sum, 1);
        clear(entry, Number.isFinite(nowMs) ? nowMs + (entry.spec.everyMs ?? 0) : entry.untilMs);
        write(entry.name, line);
      }
    },
  };
}
