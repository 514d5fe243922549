import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LibraryHints } from '../../ports/model.ts';
import { readDynamicSection } from './elf.ts';

/** The machine as far as libraries are concerned; tests give one of their own. */
export interface LibraryWorld extends LibraryHints {
  /** `/`; the folder below which the machine's own folders lie. */
  readonly root: string;
  /** Asks the system's loader: why it cannot load a library of that name, or undefined where it can. */
  readonly tryLoad: (name: string) => string | undefined;
}

export type LibraryState = 'loads' | 'off-path' | 'broken' | 'missing';

export interface LibraryFound {
  readonly name: string;
  /** off-path: it is there, and the loader is not told where; broken: it is there, and does not load. */
  readonly state: LibraryState;
  readonly file?: string;
  /** What the loader says of one that does not load. */
  readonly why?: string;
  /** Another version of a library that is missing. */
  readonly other?: string;
  /** For a library that is not found: where was looked. */
  readonly searched: readonly string[];
}

const SYSTEM_FOLDERS = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib64', 'usr/lib64', 'lib', 'usr/lib'];
const PYTHON_PREFIXES = ['usr', 'usr/local', 'opt/conda'];

/** LD_LIBRARY_PATH and the prefixes of Python environments, of an environment. */
export function libraryHints(env: Readonly<Record<string, string | undefined>>): LibraryHints {
  const prefixes = [env.VIRTUAL_ENV, env.CONDA_PREFIX, env.HOME && join(env.HOME, '.local')];
  return {
    loadPath: (env.LD_LIBRARY_PATH ?? '').split(/[:;]/).filter(Boolean),
    pythonPrefixes: prefixes.flatMap((prefix) => prefix || []),
  };
}

/** The machine that this program runs on. */
export function thisMachine(hints: LibraryHints = { loadPath: [], pythonPrefixes: [] }): LibraryWorld {
  return { ...hints, root: '/', tryLoad };
}

/**
 * Loads a library for a moment. Node does not load libraries that are no add-ons, and says so after it has loaded them
 * (cause) → that refusal is the proof that the loader found it and all that it needs (effect).
 */
function tryLoad(name: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, name);
  } catch (thrown) {
    const why = (thrown as Error).message;
    return why.includes('did not self-register') ? undefined : why;
  }
  return undefined;
}

/**
 * Looks for shared libraries as the system's loader does, and where they commonly lie without its knowledge.
 *
 * Promise: what is said to load, loads; what is said to be missing was refused by the loader too. Limit: Linux on x64.
 */
export function createLibrarySearch(world: LibraryWorld): (name: string, askedBy?: string) => LibraryFound {
  const { root, loadPath, tryLoad } = world;
  const cached = cachedLibraries(join(root, 'etc/ld.so.cache'));
  const system = SYSTEM_FOLDERS.map((folder) => join(root, folder));
  const elsewhere = foldersElsewhere(world);

  return (name, askedBy) => {
    const folders = [...loadPath, ...runPathOf(askedBy)];
    const told =
      fileIn(folders, name) ??
      cached.find((file) => file.endsWith(`/${name}`) && existsSync(file)) ??
      fileIn(system, name);
    const why = tryLoad(told ?? name);
    if (why === undefined) return { name, state: 'loads', file: told, searched: [] };
    const searched = [...folders, join(root, 'etc/ld.so.cache'), ...system, ...elsewhere];
    if (told !== undefined) return { name, state: 'broken', file: told, why, searched };
    const file = fileIn(elsewhere, name);
    if (file !== undefined) return { name, state: 'off-path', file, why, searched };
    const other = otherVersion([...folders, ...system, ...elsewhere], name);
    return { name, state: 'missing', other, why, searched };
  };
}

function runPathOf(file: string | undefined): string[] {
  if (file === undefined || !existsSync(file)) return [];
  const { runPath = [] } = readDynamicSection(file) ?? {};
  return runPath.map((folder) => folder.replace(/\$\{?ORIGIN\}?/, dirname(file)));
}

function fileIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** `libcudart.so.12` where `libcudart.so.13` is asked for. */
function otherVersion(folders: readonly string[], name: string): string | undefined {
  const stem = name.replace(/\.so.*$/, '.so');
  for (const folder of folders) {
    const found = namesIn(folder).find((other) => other.startsWith(`${stem}.`) && other !== name);
    if (found !== undefined) return join(folder, found);
  }
  return undefined;
}

/** Paths in the loader's cache: they stand in it as texts that end with a zero. */
function cachedLibraries(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'latin1')
    .split('\0')
    .filter((text) => text.startsWith('/') && text.includes('.so'));
}

/** CUDA's own folders, and those of NVIDIA's Python packages. */
function foldersElsewhere({ root, pythonPrefixes }: LibraryWorld): string[] {
  const cuda = namesIn(join(root, 'usr/local'))
    .filter((name) => name.startsWith('cuda'))
    .flatMap((name) => ['lib64', 'targets/x86_64-linux/lib'].map((folder) => join(root, 'usr/local', name, folder)));
  const prefixes = [...pythonPrefixes, ...PYTHON_PREFIXES.map((prefix) => join(root, prefix))];
  const packages = prefixes.flatMap((prefix) =>
    namesIn(join(prefix, 'lib'))
      .filter((name) => /^python3/.test(name))
      .flatMap((name) => ['site-packages', 'dist-packages'].map((folder) => join(prefix, 'lib', name, folder))),
  );
  const nvidia = packages.flatMap((folder) =>
    namesIn(join(folder, 'nvidia')).map((name) => join(folder, 'nvidia', name, 'lib')),
  );
  const tensorrt = packages.map((folder) => join(folder, 'tensorrt_libs'));
  return [...cuda, ...nvidia, ...tensorrt].filter((folder) => existsSync(folder));
}

/** What is in a folder; nothing, where there is none or it may not be looked into. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === undefined) throw thrown;
    return [];
  }
}
