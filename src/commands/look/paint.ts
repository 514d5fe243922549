import type { Io } from '../io.ts';

export type Colour = 'grey' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'bold';

/** Colours text, or returns it unchanged if colours are off. */
export type Paint = (colour: Colour, text: string) => string;

const CODES: Readonly<Record<Colour, number>> = {
  ...{ bold: 1, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36, grey: 90 },
};

/** Colours on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function paintFor({ stdout, env }: Pick<Io, 'stdout' | 'env'>): Paint {
  const { isTTY } = stdout as { readonly isTTY?: boolean };
  if (isTTY !== true || env.NO_COLOR) return (_, text) => text;
  return (colour, text) => (text === '' ? '' : `\u001b[${CODES[colour]}m${text}\u001b[0m`);
}
