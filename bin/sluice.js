#!/usr/bin/env node
// The command `sluice`: the TypeScript source in a checkout, the built program in a package, which has no source.
// An older Node hands over to the one that comes with the package, so that nobody has to install another.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 24;
const here = fileURLToPath(import.meta.url);

/** The Node of the package; undefined where it was left out. */
function nodeOfPackage() {
  try {
    return join(dirname(createRequire(here).resolve('node/package.json')), 'bin', 'node');
  } catch {
    return undefined;
  }
}

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  const node = nodeOfPackage();
  if (node !== undefined && existsSync(node)) {
    const child = spawn(node, [here, ...process.argv.slice(2)], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
    child.once('exit', (code, signal) => {
      process.exitCode = code ?? 128 + constants.signals[signal];
    });
  } else {
    process.stderr.write(
      `sluice: needs Node ${OLDEST_NODE}, this is ${process.version}; install the dependencies (npm ci), which bring one along, or a newer Node\n`,
    );
    process.exitCode = 1;
  }
} else {
  const root = dirname(dirname(here));
  const source = join(root, 'src', 'main.ts');
  await import(pathToFileURL(existsSync(source) ? source : join(root, 'dist', 'main.js')).href);
}
