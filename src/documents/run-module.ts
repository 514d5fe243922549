import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';

export interface RunOptions {
  /** Specifier → address: helper modules are those of the Sluice that reads the file. */
  readonly helpers?: Readonly<Record<string, string>>;
  /** A folder; nothing outside it may be imported. */
  readonly within?: string;
  /** Limit for running the module and all its imports. */
  readonly timeoutMs?: number;
}

/** A module, or one of its imports, was still running when its time was up. */
export class ModuleOverdue extends Error {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`it was still running after ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Most take a few milliseconds, but one may call a program for a value and wait for it. */
const TIMEOUT_MS = 5_000;

let reads = 0;

/**
 * Runs a user's module, TypeScript or JavaScript, and returns its exports; throws what it throws.
 *
 * Modules are cached by address for the life of a process → an edited file would be read as it was → each read gives it, and its
 * own imports, a new address. For `require` an address is a path, without the part after "?": only an imported module can have
 * that, hence the module in between.
 *
 * An endless loop would silently hang the reader, an editor's check or a starting pipeline → it runs under V8's watchdog, which
 * interrupts whatever runs in this thread. A worker thread could be terminated too, but can return only plain data: neither the
 * functions of a transform nor the values that a topology must not hold and that are to be reported.
 * Limits: a call into native code is interrupted only when it returns; what the module leaves behind, such as timers, is not
 * bounded.
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
        throw new Error(`it imports ${specifier}, which is outside the folder`);
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
    // Interrupted CommonJS modules would count as half loaded, and reading them again as a cycle.
    for (const each of Object.keys(require.cache)) if (!before.has(each)) delete require.cache[each];
    throw new ModuleOverdue(timeoutMs);
  } finally {
    // Here and not in the script, because an interrupted script never reaches its own "finally".
    hooks.deregister();
  }
}
