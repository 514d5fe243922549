import { basename, resolve } from 'node:path';
import { moduleDocument } from '../documents/module-document.ts';
import { ModuleOverdue, runModule } from '../documents/run-module.ts';
import { hideWritten, parseYaml, type YamlDocument } from '../documents/yaml-document.ts';

/** Files that are executed for their topology instead of parsed. */
export const MODULE = /\.[cm]?[jt]s$/;

const EXPORTED = 'topology';
const HELPER = 'sluice/topology';
/** The module gets this helper of the Sluice that reads it, wherever Sluice is installed. */
const OWN_HELPER = new URL(import.meta.url.endsWith('.ts') ? './define.ts' : './define.js', import.meta.url).href;

/**
 * Loads a topology written as a module, `export const topology = defineTopology({ … })`. It is executed anew at each call, together with
 * the modules it imports. Never throws for a user's mistake: what the module throws is in `errors`. Limits: types are removed, not
 * checked; refused are a module with `await` at its top level, one inside node_modules, and one that runs longer than `timeoutMs`.
 */
export function loadModule(file: string, text: string, { timeoutMs }: { timeoutMs?: number } = {}): YamlDocument {
  const failed = (message: string, remedy: string, line = 1, column = 1): YamlDocument => {
    const nothing = parseYaml(file, '');
    const excerpt = hideWritten(text.split(/\r?\n/)[line - 1] ?? '');
    return { ...nothing, errors: [{ ...nothing.atLine(line, column, [], message, remedy), excerpt }] };
  };
  try {
    const { [EXPORTED]: topology } = runModule(resolve(file), { helpers: { [HELPER]: OWN_HELPER }, timeoutMs });
    if (topology !== undefined) return moduleDocument(file, text, EXPORTED, topology);
    return failed(`exports no "${EXPORTED}"`, `write export const ${EXPORTED} = defineTopology({ … })`);
  } catch (thrown) {
    const { message, remedy, line, column } = explain(thrown, file);
    return failed(message, remedy, line, column);
  }
}

interface Explained {
  readonly message: string;
  readonly remedy: string;
  readonly line?: number;
  readonly column?: number;
}

function explain(thrown: unknown, file: string): Explained {
  if (thrown instanceof ModuleOverdue) {
    return {
      message: `was still running after ${thrown.timeoutMs} ms, when it was run to read its topology`,
      remedy:
        'look for a loop that never ends, in it or in what it imports; what takes long is done before, and given by a variable of the environment',
    };
  }
  const error: NodeJS.ErrnoException = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, message, stack = '' } = error;
  const [first] = message.split('\n');
  // The first line of the stack in this file: `…/hello.ts:3:9`, or `…/hello.ts:3` for a syntax error.
  const [, line, column] = /^(?:\?[^:\s]*)?:(\d+)(?::(\d+))?/.exec(stack.split(basename(file))[1] ?? '') ?? [];
  const place = line === undefined ? {} : { line: Number(line), column: Number(column ?? 1) };
  switch (code) {
    case 'ERR_INVALID_TYPESCRIPT_SYNTAX':
      return { message: `is not TypeScript: ${first}`, remedy: 'repair the file at this place', ...place };
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return {
        message: first,
        remedy: 'write what only has to be taken away: no enum, namespace or decorator',
        ...place,
      };
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return {
        message: 'is TypeScript inside node_modules, which Node does not run',
        remedy: 'move it out of node_modules, or compile it to .js',
      };
    case 'ERR_REQUIRE_ASYNC_MODULE':
      return {
        message: 'waits at its top level',
        remedy: 'take the await away: a topology is known before anything runs',
      };
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return { message: first, remedy: 'correct the import, or install the package' };
    default:
      return {
        message: `failed when it was run: ${first}`,
        remedy: 'repair the file; it is run to read its topology',
        ...place,
      };
  }
}
