import { Scalar, visit } from 'yaml';
import type { CheckFinding } from '../documents/finding.ts';
import { NotUtf8Error, readText } from '../documents/text-file.ts';
import { dotted, type Path, type YamlDocument } from '../documents/yaml-document.ts';

/** Variables by name. Where there is a default, an empty variable counts as unset, as in a shell. */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const FILE = 'file:';
/** Keys whose values are always text: a password of digits must not become a number. */
const TEXT_KEYS: ReadonlySet<unknown> = new Set([
  'username',
  'password',
  'passphrase',
  'token',
  'clientId',
  'clientSecret',
]);
/** Variables of such names hold what is not to be shown; of others, the value says more than the name. */
const SECRET_NAME = /pass|pwd?|secret|token|key|cred|auth/i;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

export interface Interpolated {
  readonly findings: readonly CheckFinding[];
  /** Values that are a single `${file:PATH}`, by dotted path: how to read the file again. */
  readonly files: ReadonlyMap<string, () => string>;
  /** Texts that came from files, which must never be shown. */
  readonly secrets: readonly string[];
  /** Values under `connections` made of variables that by their names hold secrets, by dotted path: the value, and the text written for it. */
  readonly written: ReadonlyMap<string, { readonly value: string; readonly text: string }>;
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every string value of a parsed document, and under `connections` `${file:PATH}`
 * by the text of a file, without line breaks at its end; `$${` is a literal `${`.
 * Runs after parsing, so the text of a variable cannot add keys or change the structure of the document.
 * A plain (unquoted) value that is a single variable may become a number or a boolean; the content of a file stays text.
 */
export function interpolate(
  yaml: YamlDocument,
  env: Environment,
  textOf: (path: string) => string = readText,
): Interpolated {
  const findings: CheckFinding[] = [];
  const files = new Map<string, () => string>();
  const secrets: string[] = [];
  const written = new Map<string, { readonly value: string; readonly text: string }>();
  visit(yaml.document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes(`\${`)) return;
      const text = node.value;
      const path = () => pathOf(ancestors, key);
      const replaced = text.replace(REFERENCE, (whole, body: string | undefined) => {
        if (body === undefined) return `\${`;
        if (whole.endsWith('}') && body.startsWith(FILE)) return fromFile(body.slice(FILE.length), whole, path(), text);
        const value = whole.endsWith('}') ? resolve(body, env) : { problem: 'has no closing brace' };
        if (typeof value === 'string') return value;
        findings.push(yaml.at(path(), `${whole} ${value.problem}`, remedyFor(body)));
        return '';
      });
      if (path()[0] === 'connections' && readsSecret(text)) written.set(dotted(path()), { value: replaced, text });
      const alone = node.type === Scalar.PLAIN && /^\$\{(?!file:)[^}]*\}$/.test(text);
      node.value = alone && !TEXT_KEYS.has(path().at(-1)) ? typed(replaced) : replaced;
    },
  });
  return { findings, files, secrets, written };

  function readsSecret(text: string): boolean {
    return [...text.matchAll(REFERENCE)].some(([, body = '']) => {
      const [, name, fallback] = BODY.exec(body) ?? [];
      return name !== undefined && SECRET_NAME.test(name) && resolve(body, env) !== fallback;
    });
  }

  function fromFile(file: string, whole: string, path: Path, text: string): string {
    if (path[0] !== 'connections') {
      const remedy = `write the value here, or a variable: \${NAME}`;
      findings.push(yaml.at(path, `${whole} is a secret, and only connections have such`, remedy));
      return '';
    }
    const read = () => textOf(file).replace(/[\r\n]+$/, '');
    let problem = 'is an empty file';
    try {
      const found = read();
      if (found !== '') {
        secrets.push(found);
        if (text === whole) files.set(dotted(path), read);
        return found;
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      if (error instanceof NotUtf8Error) problem = error.message;
      else problem = code === 'ENOENT' ? 'is not there' : `cannot be read: ${code}`;
    }
    const remedy =
      'put the secret into this file, or correct the path; it is looked up beside the topology file, then here';
    findings.push(yaml.at(path, `${whole} ${problem}`, remedy));
    return '';
  }
}

function resolve(body: string, env: Environment): string | { problem: string } {
  const match = BODY.exec(body);
  if (match === null)
    return { problem: 'is not a reference to an environment variable, NAME, or to a file, file:PATH' };
  const [, name, fallback] = match;
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined && (value === undefined || value === '')) return fallback;
  return value ?? { problem: 'is not set in the environment, and has no default' };
}

function remedyFor(body: string): string {
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(body)?.[0] ?? 'NAME';
  return `set ${name}, or give a default: \${${name}:-value} (a literal \${ is written $\${)`;
}

function typed(text: string): string | number | boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return NUMBER.test(text) ? Number(text) : text;
}

/** Path from the document's root to a node, given what `visit` passes: the ancestors, and the index in the last one. */
function pathOf(ancestors: readonly unknown[], key: unknown): Path {
  const path: (string | number)[] = [];
  ancestors.forEach((ancestor, depth) => {
    const next = ancestors[depth + 1];
    const { items, key: pairKey } = ancestor as { items?: readonly unknown[]; key?: { value?: unknown } };
    if (items === undefined && pairKey !== undefined) path.push(String(pairKey.value));
    else if (items !== undefined && !isPairList(items))
      path.push(next === undefined ? Number(key) : items.indexOf(next));
  });
  return path;
}

function isPairList(items: readonly unknown[]): boolean {
  return items.length > 0 && typeof items[0] === 'object' && items[0] !== null && 'key' in items[0];
}
