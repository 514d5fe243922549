import { EVENTS, type EventTable } from '../events.ts';
import { perSecond, type Reading } from './reading.ts';
import type { EventState, Figure, Tally } from './state.ts';

/** When each series of some counters last grew, from one reading to the next. */
export class Growth {
  private readonly known = new Map<string, { total: number; lastAtMs: Figure }>();
  private readonly names: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
  }

  look(reading: Reading, wallMs: number): void {
    for (const name of this.names) {
      for (const { labels, value } of reading.series(name)) {
        const key = keyOf(name, labels);
        const entry = this.known.get(key);
        if (entry === undefined) this.known.set(key, { total: value, lastAtMs: value > 0 ? wallMs : null });
        else {
          if (value > entry.total) entry.lastAtMs = wallMs;
          entry.total = value;
        }
      }
    }
  }

  lastAtMs(name: string, labels: Readonly<Record<string, string>>): Figure {
    return this.known.get(keyOf(name, labels))?.lastAtMs ?? null;
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return `${name} ${Object.values(labels).join('\u0000')}`;
}

/** Non-zero series of a counter, largest first; `what` is its first label, `reason` its last. */
export function tallies(name: string, now: Reading, before: Reading, growth: Growth): Tally[] {
  const elapsedMs = now.atMonotonicMs - before.atMonotonicMs;
  const earlier = new Map(before.series(name).map(({ labels, value }) => [keyOf(name, labels), value]));
  return now
    .series(name)
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => {
      const values = Object.values(labels);
      return {
        what: values[0] ?? '',
        reason: values.at(-1) ?? '',
        total: value,
        perSecond: perSecond(value, earlier.get(keyOf(name, labels)) ?? 0, elapsedMs),
        lastAtMs: growth.lastAtMs(name, labels),
      };
    })
    .sort((a, b) => b.total - a.total);
}

/** Warnings and errors, latest first. */
export function eventStates(now: Reading, growth: Growth): EventState[] {
  const table: EventTable = EVENTS;
  return now
    .series('sluice_events_total')
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => ({
      event: labels.event,
      level: table[labels.event]?.level ?? 'warn',
      message: table[labels.event]?.message ?? labels.event,
      total: value,
      lastAtMs: growth.lastAtMs('sluice_events_total', labels),
    }))
    .sort((a, b) => (b.lastAtMs ?? 0) - (a.lastAtMs ?? 0));
}
