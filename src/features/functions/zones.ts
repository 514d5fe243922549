/** From this time on, the zone's wall clock is ahead of UTC by the offset. */
export interface ZoneShift {
  readonly fromMs: number;
  readonly offsetMs: number;
}

const FROM_MS = Date.UTC(1900, 0, 1);
const TO_MS = Date.UTC(2101, 0, 1);
/** Two clock changes closer together than this that cancel each other are not found. */
const STEP_MS = 14 * 86_400_000;

/** Every change of a zone's offset from 1900 to 2100, found by bisection; undefined for a zone that the runtime does not know. */
export function zoneShifts(zone: string): readonly ZoneShift[] | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-nu-latn', {
      timeZone: zone,
      timeZoneName: 'longOffset',
      year: 'numeric',
    });
  } catch {
    return undefined;
  }
  const offsetAt = (ms: number): number => offsetOf(format.format(ms));
  const shifts: ZoneShift[] = [{ fromMs: FROM_MS, offsetMs: offsetAt(FROM_MS) }];
  let offset = shifts[0].offsetMs;
  for (let low = FROM_MS; low < TO_MS; low += STEP_MS) {
    const next = offsetAt(low + STEP_MS);
    if (next === offset) continue;
    let [before, after] = [low, low + STEP_MS];
    while (after - before > 1000) {
      const middle = Math.floor((before + after) / 2000) * 1000;
      if (offsetAt(middle) === offset) before = middle;
      else after = middle;
    }
    offset = offsetAt(after);
    shifts.push({ fromMs: after, offsetMs: offset });
    // Another change within the same step is found in the next round.
    low = after - STEP_MS;
  }
  return shifts;
}

/** `2001, GMT-04:00` → milliseconds; `GMT` alone is UTC. Old offsets include seconds. */
function offsetOf(text: string): number {
  const [, sign, hours, minutes, seconds] = /GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(text) ?? [];
  if (hours === undefined) return 0;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds ?? 0);
  return (sign === '-' ? -whole : whole) * 1000;
}
