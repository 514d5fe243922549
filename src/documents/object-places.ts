/**
 * Where the parts of an object literal are in JavaScript or TypeScript text, as far as they are written out.
 * Promise: total over any text; a computed value (a call, a spread, a variable) has a place but no parts.
 */
export interface PlacedValue {
  readonly offset: number;
  /** Offset of the key; in a list, of the value. */
  readonly keyOffset: number;
  /** Keys of a map, indexes of a list. */
  readonly parts: ReadonlyMap<string, PlacedValue>;
}

const NO_PARTS: ReadonlyMap<string, PlacedValue> = new Map();
const MAX_DEPTH = 64;

/** The literal after `export const NAME =`, even inside a call; if there is none, the place of the export, or the start of the text. */
export function placesOfExport(text: string, name: string): PlacedValue {
  const found = new RegExp(`^[ \\t]*export\\s+const\\s+(${name})\\b[^=]*=(?!>)[\\s\\w.$(<>]*?(?=[{[])`, 'm').exec(text);
  if (found !== null) return new Places(text).value(found.index + found[0].length, 0).value;
  const at = new RegExp(`\\bexport\\b[^;]*?\\b${name}\\b`).exec(text)?.index ?? 0;
  return { offset: at, keyOffset: at, parts: NO_PARTS };
}

class Places {
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** A value that begins at or after `from`, and its end: the comma or bracket after it. */
  value(from: number, depth: number, keyOffset?: number): { value: PlacedValue; end: number } {
    const offset = this.blank(from);
    const opens = depth < MAX_DEPTH ? this.text[offset] : '';
    const parts = new Map<string, PlacedValue>();
    let end = offset;
    if (opens === '{') end = this.object(offset + 1, depth + 1, parts);
    else if (opens === '[') end = this.list(offset + 1, depth + 1, parts);
    return { value: { offset, keyOffset: keyOffset ?? offset, parts }, end: this.rest(end) };
  }

  private object(from: number, depth: number, parts: Map<string, PlacedValue>): number {
    let at = this.blank(from);
    while (at < this.text.length && this.text[at] !== '}') {
      const start = at;
      const [whole, quoted, bare] = KEY.exec(this.text.slice(at, at + MAX_KEY)) ?? [];
      const behind = whole === undefined ? at : this.blank(at + whole.length);
      const name = quoted?.slice(1, -1) ?? bare;
      if (name !== undefined && this.text[behind] === ':') {
        const found = this.value(behind + 1, depth, at);
        parts.set(name, found.value);
        at = found.end;
      } else {
        if (bare !== undefined && /[,}]/.test(this.text[behind] ?? ''))
          parts.set(bare, { offset: at, keyOffset: at, parts: NO_PARTS });
        at = this.rest(at);
      }
      if (this.text[at] === ',') at++;
      at = this.blank(at);
      if (at <= start) return this.text.length;
    }
    return at + 1;
  }

  /** A spread in a list may give any number of items: items after it have no known index. */
  private list(from: number, depth: number, parts: Map<string, PlacedValue>): number {
    let at = this.blank(from);
    let known = true;
    while (at < this.text.length && this.text[at] !== ']') {
      const start = at;
      known &&= !this.text.startsWith('...', at);
      const found = this.value(at, depth);
      if (known) parts.set(String(parts.size), found.value);
      at = found.end;
      if (this.text[at] === ',') at++;
      at = this.blank(at);
      if (at <= start) return this.text.length;
    }
    return at + 1;
  }

  /** From inside an expression to the comma or bracket that ends it. */
  private rest(from: number): number {
    let depth = 0;
    for (let at = from; at < this.text.length; at++) {
      at = this.blank(at);
      const char = this.text[at];
      if (char === '"' || char === "'" || char === '`') at = this.quoted(at);
      else if ('{[('.includes(char)) depth++;
      else if ('}])'.includes(char) && depth-- === 0) return at;
      else if (char === ',' && depth === 0) return at;
    }
    return this.text.length;
  }

  /** The closing quote of the text that begins at `from`. */
  private quoted(from: number): number {
    const quote = this.text[from];
    let at = from + 1;
    while (at < this.text.length && this.text[at] !== quote) at += this.text[at] === '\\' ? 2 : 1;
    return at;
  }

  /** The position after white space and comments. */
  private blank(from: number): number {
    BLANK.lastIndex = from;
    return from + (BLANK.exec(this.text)?.[0].length ?? 0);
  }
}

const MAX_KEY = 300;
const KEY = /^(?:("[^"\\]*"|'[^'\\]*')|([A-Za-z_$][\w$]*|\d+))/;
const BLANK = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
