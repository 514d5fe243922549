#!/usr/bin/env node
// The command `sluice`: the built program where there is one, the TypeScript source in a checkout.
// An older Node hands over to the one that comes with the package, so that nobody has to install another.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = 24;
const here = fileURLToPath(import.meta.url);

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  const node = join(dirname(createRequire(here).resolve('node/package.json')), 'bin', 'node');
  const child = spawn(node, [here, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGKILL' ? 137 : 1);
  });
} else {
  const root = dirname(dirname(here));
  const built = join(root, 'dist', 'main.js');
  await import(pathToFileURL(existsSync(built) ? built : join(root, 'src', 'main.ts')).href);
}
