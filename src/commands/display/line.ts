import { cut, printable, textWidth } from './format.ts';

export type Style = 'plain' | 'dim' | 'bold' | 'title' | 'good' | 'warn' | 'bad' | 'accent';

/** A line of a panel: styled pieces of text. Its width is computed before colour codes are added. */
export type Line = readonly Piece[];
export type Piece = readonly [style: Style, text: string];

const CODES: Readonly<Record<Style, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  title: '1;36',
  good: '32',
  warn: '1;33',
  bad: '1;31',
  accent: '36',
};

export function dim(text: string): Piece {
  return ['dim', text];
}

export function plain(text: string): Piece {
  return ['plain', text];
}

export function bold(text: string): Piece {
  return ['bold', text];
}

export function widthOf(line: Line): number {
  return line.reduce((sum, [, text]) => sum + textWidth(text), 0);
}

/** One line of at most `columns`, with colour codes if asked for. All text is made safe to show here. */
export function render(line: Line, columns: number, color: boolean): string {
  let left = columns;
  let out = '';
  for (const [style, text] of line) {
    if (left <= 0) break;
    const shown = cut(printable(text), left);
    left -= textWidth(shown);
    const code = CODES[style];
    out += color && code !== '' && shown.trim() !== '' ? `\u001b[${code}m${shown}\u001b[0m` : shown;
  }
  return out.trimEnd();
}

/** `left` and `right` at the two ends of `columns`; `right` is dropped if both do not fit. */
export function apart(left: Line, right: Line, columns: number): Line {
  const gap = columns - widthOf(left) - widthOf(right);
  return gap < 2 ? left : [...left, plain(' '.repeat(gap)), ...right];
}
