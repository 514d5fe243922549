/** Figures and text for people: pure functions from values to short strings, in terminal columns. */

const UNKNOWN = '–';

/** 1234567 → `1,234,567`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return UNKNOWN;
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 line`, `2,000 lines`; pass `plural` if it does not end in s. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Three significant figures, in ms, s, min or h. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return UNKNOWN;
  const size = Math.abs(ms);
  if (size < 1000) return `${figures(ms)} ms`;
  if (size < 120_000) return `${figures(ms / 1000)} s`;
  if (size < 7_200_000) return `${figures(ms / 60_000)} min`;
  if (size < 172_800_000) return `${figures(ms / 3_600_000)} h`;
  return `${figures(ms / 86_400_000)} d`;
}

export function bytes(value: number): string {
  if (!Number.isFinite(value)) return UNKNOWN;
  if (value < 1024) return `${Math.round(value)} B`;
  if (value < 1024 ** 2) return `${figures(value / 1024)} KiB`;
  if (value < 1024 ** 3) return `${figures(value / 1024 ** 2)} MiB`;
  return `${figures(value / 1024 ** 3)} GiB`;
}

/** A share of 0 to 1 as a whole per cent; near 0 and 100, with one decimal. */
export function percent(ratio: number): string {
  if (!Number.isFinite(ratio)) return UNKNOWN;
  const value = ratio * 100;
  return value > 0 && value < 100 && (value >= 99 || value < 1) ? `${value.toFixed(1)}%` : `${Math.round(value)}%`;
}

export function stopwatch(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function figures(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  if (size >= 10) return String(Number(value.toFixed(1)));
  return String(Number(value.toFixed(size >= 1 ? 2 : 3)));
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A horizontal bar of `width` columns, filled to `ratio` in steps of an eighth of a column: [filled, rest]. */
export function bar(ratio: number, width: number): readonly [string, string] {
  const share = Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) : 0;
  const eighths = Math.round(share * width * 8);
  const filled = '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
  return [filled, '░'.repeat(width - filled.length)];
}

const HEIGHTS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** One column per value, scaled from 0 to the largest. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values
    .map((value) => HEIGHTS[highest > 0 ? Math.min(7, Math.round((Math.max(0, value) / highest) * 7)) : 0])
    .join('');
}

/** Makes text from data safe to show: a control character could move the cursor or change the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '·');
}

/** Columns that a text occupies: East Asian wide characters and pictographs take two, combining marks none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

const COMBINING = /\p{Mark}/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

function characterWidth(character: string): number {
  if (character <= '\u02ff') return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Cut to `width` columns, with `…` if something was cut. */
export function cut(text: string, width: number): string {
  if (width <= 0) return '';
  if (textWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    const next = characterWidth(character);
    if (used + next > width - 1) break;
    kept += character;
    used += next;
  }
  return `${kept}…`;
}

/** Padded with spaces to `width` columns, or cut. */
export function fit(text: string, width: number): string {
  const shown = cut(text, width);
  return shown + ' '.repeat(Math.max(0, width - textWidth(shown)));
}
