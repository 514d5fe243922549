import { readFileSync } from 'node:fs';

/** A file that is readable but not UTF-8, with the 1-based place where that shows. */
export class NotUtf8Error extends Error {
  readonly code = 'NOT_UTF8';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.name = 'NotUtf8Error';
    this.line = line;
  }
}

export const SAVE_AS_UTF8 = 'save it as UTF-8, or name another file';

/**
 * The text of a file that a person wrote, unchanged except for a byte order mark, which some editors add and which is removed.
 * In another encoding, letters would be replaced (cause), and a group or category with a changed name is an error nowhere (effect),
 * so such a file is refused with NotUtf8Error (guard). Other errors come from the file system.
 */
export function readText(file: string): string {
  const bytes = readFileSync(file);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    throw new NotUtf8Error('is UTF-16, not UTF-8', 1);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Text in another 8-bit encoding has no zero byte, and nearly every other format has one.
    if (bytes.includes(0)) throw new NotUtf8Error('is not a text file', 1);
    const line = firstWrongLine(bytes);
    throw new NotUtf8Error(`is not UTF-8: line ${line} holds bytes of another encoding`, line);
  }
}

/** The bytes of a UTF-8 character are never a line feed, so lines can be checked one by one. */
function firstWrongLine(bytes: Buffer): number {
  for (let line = 1, from = 0; ; line++) {
    const end = bytes.indexOf(10, from);
    const part = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (!Buffer.from(part.toString('utf8'), 'utf8').equals(part) || end < 0) return line;
    from = end + 1;
  }
}

/** Where JSON is broken, 1-based: from the engine's message, or, if it has no place, the end of the longest prefix that could go on. */
export function placeInJson(text: string, message: string): { readonly line: number; readonly column: number } {
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(message) ?? [];
  if (line !== undefined) return { line: Number(line), column: Number(column) };
  let [sound, broken] = [0, text.length];
  while (broken - sound > 1) {
    const middle = (sound + broken) >> 1;
    if (couldGoOn(text.slice(0, middle))) sound = middle;
    else broken = middle;
  }
  const before = (couldGoOn(text) ? text.trimEnd() : text.slice(0, sound)).split('\n');
  return { line: before.length, column: before[before.length - 1].length + 1 };
}

function couldGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (thrown) {
    const { message } = thrown as Error;
    const [, position] = /at position (\d+)/.exec(message) ?? [];
    return Number(position) === text.length || /end of JSON/i.test(message);
  }
}
