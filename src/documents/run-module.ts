import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

export interface RunOptions {
  /** Specifier → address: helpers that are those of the Sluice that reads the file. */
  readonly helpers?: Readonly<Record<string, string>>;
  /** A folder outside of which nothing may be imported. */
  readonly within?: string;
}

let reads = 0;

/**
 * Runs a module of a person's, TypeScript or JavaScript, and gives what it exports; throws what it throws.
 *
 * Modules are kept for the life of a process, by their address: a file that was edited would be read as it was (cause, effect), so
 * each read gives it, and what it imports of its own, another address (guard). For `require` an address is a path, without the part
 * behind "?": only what a module imports can have that, hence the module in between.
 */
export function runModule(file: string, { helpers = {}, within }: RunOptions = {}): Record<string, unknown> {
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
  try {
    return createRequire(import.meta.url)(between);
  } finally {
    hooks.deregister();
  }
}
