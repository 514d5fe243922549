import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { CheckFinding } from './finding.ts';

export type Path = readonly (string | number)[];

/**
 * A YAML (or JSON) text that knows where everything stands. Promise: one document, no duplicate keys, no tags beyond
 * the YAML 1.2 core, no aliases; every violation is in `errors` with its place.
 */
export interface YamlDocument {
  readonly file: string;
  readonly document: Document;
  readonly errors: readonly CheckFinding[];
  /** The document as plain values, in its state at the time of the call. */
  toValue(): unknown;
  /** A finding about the value at `path`, or its nearest existing parent. */
  at(path: Path, message: string, remedy: string, severity?: CheckFinding['severity']): CheckFinding;
  /** A finding about the last key of `path`. */
  atKey(path: Path, message: string, remedy: string): CheckFinding;
  atLine(line: number, column: number, path: Path, message: string, remedy: string): CheckFinding;
  /** 1-based place of the value at `path`, or of its nearest existing parent. */
  locate(path: Path): { readonly line: number; readonly column: number };
}

export function parseYaml(file: string, text: string): YamlDocument {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: false, stringKeys: true });
  const lines = text.split(/\r?\n/);
  const refused: { offset: number; message: string; remedy: string }[] = [];
  visit(document, {
    // Nested aliases (aliases of aliases) expand beyond memory when turned into values. No file needs one.
    Alias: (_, node) => {
      refused.push({
        offset: startOf(node, 0),
        message: 'is a YAML alias',
        remedy: 'write the value itself in its place',
      });
    },
    // Maps become objects, and code that copies objects skips this key: it would be lost silently.
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '__proto__')
        refused.push({ offset: startOf(key, 0), message: '"__proto__" is reserved', remedy: 'choose another name' });
    },
  });

  function place(offset: number): { line: number; column: number } {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  function finding(
    where: { line: number; column: number },
    path: Path,
    message: string,
    remedy: string,
    severity: CheckFinding['severity'] = 'error',
  ): CheckFinding {
    return {
      code: 'file-invalid',
      severity,
      file,
      ...where,
      path: dotted(path),
      message,
      remedy,
      excerpt: hideWritten(lines[where.line - 1] ?? ''),
    };
  }

  const locate = (path: Path) => place(valueOffset(document, path));
  return {
    file,
    document,
    errors: [
      ...brokenBy(document, text).map(({ offset, message, remedy }) => finding(place(offset), [], message, remedy)),
      ...refused.map(({ offset, message, remedy }) => finding(place(offset), [], message, remedy)),
    ],
    toValue: () => document.toJS({ maxAliasCount: 0 }),
    at: (path, message, remedy, severity) => finding(locate(path), path, message, remedy, severity),
    atKey: (path, message, remedy) => finding(place(keyOffset(document, path)), path, message, remedy),
    atLine: (line, column, path, message, remedy) => finding({ line, column }, path, message, remedy),
    locate,
  };
}

const WRITTEN =
  /(\b(?:username|\w*(?:pas+w|passphrase|secret|token(?!Endpoint|s\b))\w*)["']?\s*[:=]\s*)("(?!\$\{)[^"]*"?|'(?!\$\{)[^']*'?|(?!["']|\$\{)[^\s,}]+)|(:\/\/)([^\s/@$"]+)(?=@)|((?:username|pas+w|passphrase|secret|token)\w*["']?\s*:\s*["']?\$\{\w+:-)([^}]+)/gi;

/** A login before an address, with or without a scheme; after a scheme its password may contain a slash or a comma, though it should not. */
const LOGIN =
  /((?:^|[\s"'`,(]|:\/\/))([^\s"'`,/@:]+:[^\s"'`,/@]+)(?=@)|(:\/\/)([^\s"'`,/@:]*:(?!\d+\/)[^\s"'`@]+)(?=@)/g;

/** A key in the query of an address. */
const IN_QUERY = /([?&][\w-]*(?:key|token|secret|passw?o?r?d?|signature|sig)=)([^&\s"'`]+)/gi;

/** A private key: a line of its base64 that is not indented as it should be, or the line with its PEM header. */
const KEY_BODY = /^(\s*["']?)([A-Za-z0-9+/]{40,}={0,2})(?=["']?,?\s*$)|(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*)$/;

/** Hides secrets that were written into a file instead of referenced; the line keeps its length. */
export function hideWritten(line: string): string {
  const hidden = line.replace(WRITTEN, (_, key = '', value = '', scheme = '', user = '', before = '', other = '') => {
    return `${key}${'*'.repeat(value.length)}${scheme}${'*'.repeat(user.length)}${before}${'*'.repeat(other.length)}`;
  });
  return hideLogins(hidden.replace(KEY_BODY, starred));
}

/** Hides `user:password@` and keys in the query of addresses, in a line or a message. */
export function hideLogins(text: string): string {
  return text.replace(LOGIN, starred).replace(IN_QUERY, starred);
}

/** The match with stars in place of its second group, or of the fourth, which follows the third. */
function starred(_: string, before = '', hidden = '', ...more: readonly unknown[]): string {
  const [before2 = '', hidden2 = ''] = more.length > 2 ? (more as readonly (string | undefined)[]) : [];
  return `${before}${'*'.repeat(hidden.length)}${before2}${'*'.repeat(hidden2.length)}`;
}

/** `enrich[2].views.route`. */
export function dotted(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

function valueOffset(document: Document, path: Path): number {
  let node: Node | null = document.contents;
  let offset = startOf(node, 0);
  for (const step of path) {
    const next = child(node, step);
    if (next === undefined) return offset;
    offset = startOf(next.value, startOf(next.key, offset));
    node = next.value;
  }
  return offset;
}

function keyOffset(document: Document, path: Path): number {
  let node: Node | null = document.contents;
  for (const step of path.slice(0, -1)) node = child(node, step)?.value ?? null;
  const last = child(node, path[path.length - 1]);
  return startOf(last?.key ?? null, valueOffset(document, path));
}

function child(node: Node | null, step: string | number): { key: Node | null; value: Node | null } | undefined {
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step];
    return item === undefined ? undefined : { key: null, value: item as Node };
  }
  if (!isMap(node)) return undefined;
  for (const pair of node.items) {
    if (isScalar(pair.key) && String(pair.key.value) === String(step))
      return { key: pair.key, value: pair.value as Node | null };
  }
  return undefined;
}

function startOf(node: Node | null, otherwise: number): number {
  return node?.range?.[0] ?? otherwise;
}

/**
 * What the parser rejected. After one break the parser stumbles over the lines that follow (cause) → a page of findings about
 * sound lines (effect) → besides duplicate keys, only the first is reported (guard).
 */
function brokenBy({ errors, warnings }: Document, text: string): { offset: number; message: string; remedy: string }[] {
  const twice = errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const [first] = [...errors.filter(({ code }) => code !== 'DUPLICATE_KEY'), ...warnings];
  const found = twice.map(({ pos: [offset] }) => {
    const key = /^["']?[\w.-]+["']?/.exec(text.slice(offset))?.[0] ?? 'this key';
    return { offset, message: `the key ${key} occurs twice`, remedy: 'keep one of the two' };
  });
  if (first === undefined) return found;
  if (first.code === 'MULTIPLE_DOCS') {
    const remedy = 'a file holds one document: remove this line, or put what follows it into a file of its own';
    return [...found, { offset: first.pos[0], message: 'a second document begins', remedy }];
  }
  const hint = REPAIRS[first.code];
  const remedy = `repair the YAML at this place${hint === undefined ? '' : `: ${hint}`}`;
  return [...found, { offset: first.pos[0], message: firstLine(first.message), remedy }];
}

const REPAIRS: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY:
    'a colon followed by a space begins a map; put a value that contains one, such as x ? 1 : 2, in quotes',
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'indent it as its neighbours, or close the bracket, brace or quote that is open above it',
  MISSING_CHAR: 'write what is missing, here or where the value begins',
};

function firstLine(text: string): string {
  return text.split('\n', 1)[0];
}
