import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ModelLoad } from '../../ports/model.ts';

export interface Candidate {
  readonly device: string;
  readonly available: boolean;
  /** Why not, with the remedy. */
  readonly why: string;
}

const PROVIDER_LIBRARIES: Readonly<Record<string, string>> = {
  cuda: 'libonnxruntime_providers_cuda.so',
  tensorrt: 'libonnxruntime_providers_tensorrt.so',
};

/**
 * The devices to try for a setting, in order. ONNX Runtime does not fall back by itself, names no reason but on stderr, and
 * lists providers that cannot load (cause); asking it would print native errors and tell nothing (effect); so the provider's
 * library is looked for beside the binding first (guard).
 */
export function providersFor(device: ModelLoad['device']): readonly Candidate[] {
  if (device === 'auto') return [candidate('cuda'), candidate('cpu')];
  return [candidate(device)];
}

function candidate(device: string): Candidate {
  const library = PROVIDER_LIBRARIES[device];
  if (library === undefined) return { device, available: true, why: '' };
  const folder = bindingFolder();
  const file = join(folder, library);
  if (existsSync(file)) return { device, available: true, why: '' };
  return {
    device,
    available: false,
    why: `${library} is not in ${folder}; install the provider libraries of the same ONNX Runtime version`,
  };
}

function bindingFolder(): string {
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
  return join(root, 'bin', 'napi-v6', process.platform, process.arch);
}
