import { Scalar, visit } from 'yaml';
import type { CheckFinding } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';

/** Variables by name. An empty one counts as unset where there is a default, as in a shell. */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every string value of a parsed document; `$${` is a literal `${`.
 * It runs after parsing, so a variable's text can never add keys or change the document's structure.
 * A plain (unquoted) value that is one reference and nothing else may become a number or a boolean.
 */
export function interpolate(yaml: YamlDocument, env: Environment): CheckFinding[] {
  const findings: CheckFinding[] = [];
  visit(yaml.document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const text = node.value;
      const path = () => pathOf(ancestors, key);
      const replaced = text.replace(REFERENCE, (whole, body: string | undefined) => {
        if (body === undefined) return '${';
        const value = whole.endsWith('}') ? resolve(body, env) : { problem: 'has no closing brace' };
        if (typeof value === 'string') return value;
        findings.push(yaml.at(path(), `${whole} ${value.problem}`, remedyFor(body)));
        return '';
      });
      const alone = node.type === Scalar.PLAIN && /^\$\{[^}]*\}$/.test(text);
      node.value = alone ? typed(replaced) : replaced;
    },
  });
  return findings;
}

function resolve(body: string, env: Environment): string | { problem: string } {
  const match = BODY.exec(body);
  if (match === null) return { problem: 'is not a reference to an environment variable' };
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

/** Steps from the document's root to a node, out of what `visit` passes: ancestors, and the index in the last one. */
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
