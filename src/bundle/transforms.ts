import { join } from 'node:path';
import { runModule } from '../documents/run-module.ts';
import { type Expr, parseExpression } from '../features/syntax.ts';
import type { BrokenFile, Transform, Transforms } from '../features/transforms.ts';

const FILE = /^\.\/[\w-][\w./-]*\.[cm]?[jt]s$/;

/**
 * Runs the files that expressions name with `use`, each once, and returns their exports. Never throws: a file's fault is reported
 * at the line that uses it. `present`: the bundle's files, which its digest covers.
 */
export function loadTransforms(
  folder: string,
  expressions: readonly string[],
  present: ReadonlySet<string>,
): Transforms {
  const files = new Set(expressions.flatMap(usedBy));
  return new Map([...files].map((file) => [file, loadFile(folder, file, present)]));
}

function loadFile(
  folder: string,
  file: string,
  present: ReadonlySet<string>,
): ReadonlyMap<string, Transform> | BrokenFile {
  const remedy = 'name a .ts or .js file of the bundle, such as "./transforms.ts"';
  if (!FILE.test(file) || file.includes('..')) return { problem: 'is not the name of a module in the bundle', remedy };
  if (!present.has(file.slice(2))) return { problem: `is not in ${folder}`, remedy };
  try {
    const exported = Object.entries(runModule(join(folder, file), { within: folder }));
    return new Map(exported.filter((entry): entry is [string, Transform] => isTransform(entry[1])));
  } catch (thrown) {
    const [first] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
    return {
      problem: `failed when it was run: ${first}`,
      remedy: 'repair the file: it is run to read what it exports',
    };
  }
}

function isTransform(value: unknown): value is Transform {
  const { takes, gives, apply } = (value ?? {}) as Partial<Transform>;
  const isWidth = (width: unknown): boolean => Number.isInteger(width) && (width as number) >= 1;
  return Array.isArray(takes) && takes.every(isWidth) && isWidth(gives) && typeof apply === 'function';
}

function usedBy(expression: string): string[] {
  if (!expression.includes('use(')) return [];
  try {
    return filesIn(parseExpression(expression));
  } catch {
    return []; // A syntax error is reported when the line is compiled.
  }
}

function filesIn(expr: Expr): string[] {
  switch (expr.kind) {
    case 'call': {
      const [first] = expr.args;
      const own = expr.name === 'use' && first?.kind === 'text' ? [first.value] : [];
      return [...own, ...expr.args.flatMap(filesIn)];
    }
    case 'list':
      return expr.items.flatMap(filesIn);
    case 'index':
      return [...filesIn(expr.of), ...filesIn(expr.index)];
    case 'unary':
      return filesIn(expr.of);
    case 'binary':
      return [...filesIn(expr.left), ...filesIn(expr.right)];
    case 'choose':
      return [expr.test, expr.yes, expr.no].flatMap(filesIn);
    default:
      return [];
  }
}
