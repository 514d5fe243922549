import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';

export interface RunOptions {
  /** Specifier → address: helpers that are those of the Sluice that reads the file. */
  readonly helpers?: Readonly<Record<string, string>>;
  /** A folder outside of which nothing may be imported. */
  readonly within?: string;
  /** It has to be through with itself, and all that it imports, by then. */
  readonly timeoutMs?: number;
}

/** A module, with what it imports, was still running when its time was over. */
export class ModuleOverdue extends Error {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`it was still running after ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Most take a few milliseconds; one may ask a program for a value, and wait for it. */
const TIMEOUT_MS = 5_000;

let reads = 0;

/**
 * Runs a module of a person's, TypeScript or JavaScript, and gives what it exports; throws what it throws.
 *
 * Modules are kept for the life of a process, by their address: a file that was edited would be read as it was (cause, effect), so
 * each read gives it, and what it imports of its own, another address (guard). For `require` an address is a path, without the part
 * behind "?": only what a module imports can have that, hence the module in between.
 *
 * A loop that never ends would hang whoever reads the file, an editor's check or a pipeline that starts, without a word (cause,
 * effect) → it is run under V8's watchdog, which breaks off what runs in this thread (guard). Another thread could be ended too, but
 * nothing except plain data comes out of one: not the functions of a transform, nor what a topology should not hold and is to be told.
 * Limits: a call into native code is broken off once it returns; what the module leaves behind, such as timers, has no bound.
 */
export function runModule(
  file: string,
  { helpers = {}, within, timeoutMs = TIMEOUT_MS }: RunOptions = {},
): Record<string, unknown> {
  const read = String(++reads);
  const between = `${file}.${read}.mjs`;
  const address = pathToFileURL(between).href;
  const allowed = within === undefined ? undefined : `${pathToFileURL(within).href}/`;
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier === between) return { url: address, format: 'module', shortCircuit: true };
      if (Object.hasOwn(helpers, specifier)) return { url: helpers[specifier], shortCircuit: true };
      const found = next(specifier, context);
      if (allowed !== undefined && !found.url.startsWith(allowed)) {
        throw new Error(`it imports ${specifier}, which lies outside of the folder`);
      }
      if (!found.url.startsWith('file:') || found.url.includes('/node_modules/')) return found;
      const own = new URL(found.url);
      own.searchParams.set('read', read);
      return { ...found, url: own.href };
    },
    load: (url, context, next) =>
      url === address
        ? {
            format: 'module',
            source: `export * from ${JSON.stringify(pathToFileURL(file).href)};`,
            shortCircuit: true,
          }
        : next(url, context),
  });
  const require = createRequire(import.meta.url);
  const run = (): unknown => require(between);
  const before = new Set(Object.keys(require.cache));
  try {
    return runInNewContext('run()', { run }, { timeout: timeoutMs, displayErrors: false });
  } catch (thrown) {
    const isOverdue = (thrown as NodeJS.ErrnoException | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    if (!isOverdue) throw thrown;
    // CommonJS modules that were broken off would count as half loaded, and their next reading as a cycle.
    for (const each of Object.keys(require.cache)) if (!before.has(each)) delete require.cache[each];
    throw new ModuleOverdue(timeoutMs);
  } finally {
    // Not within: what is broken off does not come to its own "finally".
    hooks.deregister();
  }
}
