import { SluiceError } from '../../kernel/errors.ts';

const AGO_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2h` or `-2h` (ago), or an ISO date or time; undefined for anything else. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const [, amount, unit] = /^-?(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit !== undefined) return nowMs - Number(amount) * AGO_MS[unit];
  const [day] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  if (day === undefined || !isDay(day)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Date.parse takes 30 February for 2 March. */
function isDay(text: string): boolean {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

/** The same for an option; throws `usage-invalid`. */
export function momentOf(option: string, text: string, nowMs: number): number {
  const moment = parseMoment(text, nowMs);
  if (moment !== undefined) return moment;
  throw new SluiceError(
    'usage-invalid',
    `${option}: "${text}" is neither a time ago (90s, 15m, 2h, 7d) nor an ISO time (2026-01-31 or 2026-01-31T12:00:00Z)`,
  );
}
