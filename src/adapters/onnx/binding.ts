import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where onnxruntime-node keeps its native part for this machine, and looks for the libraries of providers. */
export function bindingFolder(): string {
  return join(packageRoot(), 'bin', 'napi-v6', process.platform, process.arch);
}

/** Libraries of providers must be of this very version. */
export function runtimeVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version;
}

function packageRoot(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
}
