import { readFileSync } from 'node:fs';

/** A typical mistake: what is replaced by what, and the finding that must come of it. */
export interface Mistake {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  /** Where the place names a file, `bundle 5:9 let.late`. */
  readonly file: string | undefined;
  readonly message: string;
  readonly remedy: string;
}

/** Reads a table of mistakes; its head says how a block is written. */
export function readMistakes(file: URL): Mistake[] {
  const [, ...blocks] = readFileSync(file, 'utf8').split('\n# ');
  return blocks.map((block) => {
    const [name, from, to, place, message, remedy] = block.split('\n');
    const [, file, line, column, path] = /^(?:(\w+) )?(\d+):(\d+) (.*)$/.exec(place) ?? [];
    if (!from.startsWith('- ') || !to.startsWith('+ ') || path === undefined || remedy === undefined)
      throw new Error(`block "${name}" is not as the head of the table says`);
    const text = (written: string) => written.slice(2).replaceAll('\\n', '\n');
    const at = { file, line: Number(line), column: Number(column), path };
    return { name, from: text(from), to: text(to), ...at, message, remedy };
  });
}

/** `text` with one piece replaced; it must occur exactly once. */
export function replaceOnce(text: string, { name, from, to }: Pick<Mistake, 'name' | 'from' | 'to'>): string {
  if (text.split(from).length !== 2) throw new Error(`${name}: ${JSON.stringify(from)} must occur exactly once`);
  return text.replace(from, () => to);
}
