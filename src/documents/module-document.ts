import { LineCounter } from 'yaml';
import { type PlacedValue, placesOfExport } from './object-places.ts';
import { dotted, hideWritten, type Path, parseYaml, type YamlDocument } from './yaml-document.ts';

/**
 * A value that a module exports, as a document: findings point at the key in its object literal, or the nearest place.
 * Promise: nothing is lost silently; whatever a file could not express (a function, NaN, a class) is in `errors` with its path.
 */
export function moduleDocument(file: string, text: string, exported: string, value: unknown): YamlDocument {
  const counter = new LineCounter();
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) counter.addNewLine(at + 1);
  counter.lineStarts.unshift(0);
  const lines = text.split(/\r?\n/);
  const root = placesOfExport(text, exported);

  function find(path: Path): { found: PlacedValue; whole: boolean } {
    let found = root;
    for (const step of path) {
      const next = found.parts.get(String(step));
      if (next === undefined) return { found, whole: false };
      found = next;
    }
    return { found, whole: true };
  }
  function place(offset: number): { line: number; column: number } {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }
  const locate = (path: Path) => place(find(path).found.offset);
  const finding = (
    { line, column }: { line: number; column: number },
    path: Path,
    message: string,
    remedy: string,
    severity: 'error' | 'warning' = 'error',
  ) => ({
    code: 'file-invalid' as const,
    severity,
    file,
    line,
    column,
    path: dotted(path),
    message,
    remedy,
    excerpt: hideWritten(lines[line - 1] ?? ''),
  });
  const at: YamlDocument['at'] = (path, message, remedy, severity) =>
    finding(locate(path), path, message, remedy, severity);

  const unsayable = [...unsaid(value, [], new Set())];
  const inner = parseYaml(file, unsayable.length > 0 ? '' : JSON.stringify(value));
  return {
    file,
    document: inner.document,
    errors: [
      ...unsayable.map(({ path, what }) => at(path, `is ${what}, which a topology cannot hold`, PLAIN)),
      ...inner.errors.map(({ message, remedy }) => at([], message, remedy)),
    ],
    toValue: inner.toValue,
    at,
    atKey(path, message, remedy) {
      const { found, whole } = find(path);
      return finding(place(whole ? found.keyOffset : found.offset), path, message, remedy);
    },
    atLine: (line, column, path, message, remedy) => finding({ line, column }, path, message, remedy),
    locate,
  };
}

const PLAIN = 'write text, a finite number, true, false, a list or a plain object; or leave the key out';

/** What JSON would omit or change silently. */
function* unsaid(value: unknown, path: Path, above: Set<unknown>): Generator<{ path: Path; what: string }> {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) yield { path, what: String(value) };
    return;
  }
  if (typeof value !== 'object') return yield { path, what: `a ${typeof value}` };
  if (above.has(value)) return yield { path, what: 'an object that contains itself' };
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!Array.isArray(value) && !isPlain)
    return yield { path, what: `a ${value.constructor?.name ?? 'object with a class'}` };
  above.add(value);
  for (const [key, each] of Object.entries(value))
    yield* unsaid(each, [...path, Array.isArray(value) ? Number(key) : key], above);
  above.delete(value);
}
