/** Reading of source text, enough for the rules: comments and strings are told from code; nothing is type-checked. */

export interface SourceFile {
  /** From the repository root, with forward slashes: `src/kernel/frame.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Every module that a text names: static, type-only, dynamic, required, or started as a worker. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const found = new Set<string>();
  for (const pattern of [
    /(?:^|[;}\n])\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]/g,
    /(?:^|[;}\n])\s*import\s*['"]([^'"]+)['"]/g,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /(?<![.\w])require\w*(?:\.resolve)?\s*\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\s*\(\s*['"](\.[^'"]+\.ts)['"]/g,
  ]) {
    for (const match of code.matchAll(pattern)) found.add(match[1]);
  }
  return [...found];
}

export function withoutComments(text: string): string {
  return scan(text, false);
}

/** Code only: comments go, and the content of quoted strings; templates stay, because they hold code. */
export function codeOf(text: string): string {
  return scan(text, true);
}

const BEFORE_A_REGEX = /(?:[(,=:[!&|?{};+\n]|\breturn|\bcase|=>|^)\s*$/;

function scan(text: string, blankStrings: boolean): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const here = text[at];
    const next = text[at + 1];
    if (here === '/' && next === '/') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (here === '/' && next === '*') {
      const end = text.indexOf('*/', at + 2);
      at = end < 0 ? text.length : end + 2;
      out += ' ';
    } else if (here === "'" || here === '"') {
      const end = endOfQuoted(text, at, here);
      out += blankStrings ? `${here}${here}` : text.slice(at, end);
      at = end;
    } else if (here === '`') {
      const end = endOfQuoted(text, at, here);
      out += text.slice(at, end);
      at = end;
    } else if (here === '/' && BEFORE_A_REGEX.test(out.slice(-20))) {
      at = endOfRegex(text, at);
      out += '/r/';
    } else {
      out += here;
      at++;
    }
  }
  return out;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    const here = text[at];
    if (here === '\\') at++;
    else if (here === '\n') return at;
    else if (here === '[') inClass = true;
    else if (here === ']') inClass = false;
    else if (here === '/' && !inClass) return at + 1;
  }
  return text.length;
}
