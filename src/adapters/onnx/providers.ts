import { existsSync } from 'node:fs';
import type { ModelLoad } from '../../ports/model.ts';
import { bindingFolder } from './binding.ts';
import { type CudaReport, examineCuda, problemOf } from './cuda.ts';
import { type LibraryWorld, thisMachine } from './library-search.ts';

export interface Candidate {
  readonly device: string;
  readonly available: boolean;
  /** Why not, with the remedy. */
  readonly why: string;
  /** Somebody has put the provider's library there: that it cannot be used is not what was wanted. */
  readonly meant: boolean;
  readonly report: CudaReport | undefined;
}

/** Devices that have numbers. */
const NUMBERED: ReadonlySet<string> = new Set(['cuda', 'tensorrt']);

/**
 * The devices to try for a setting, in order. ONNX Runtime does not fall back by itself, gives reasons only on stderr, and lists
 * providers that cannot load (cause) → trying it would print native errors and explain nothing (effect) → the provider's library and
 * its dependencies are searched for first (guard).
 */
export function providersFor(
  device: ModelLoad['device'],
  world: LibraryWorld = thisMachine(),
  binding: string = bindingFolder(),
): readonly Candidate[] {
  if (device === 'auto') return [candidate('cuda', world, binding), candidate('cpu', world, binding)];
  return [candidate(device, world, binding)];
}

function candidate(device: string, world: LibraryWorld, binding: string): Candidate {
  if (device !== 'cuda' && device !== 'tensorrt')
    return { device, available: true, why: '', meant: true, report: undefined };
  const report = examineCuda(device, world, binding);
  const why = problemOf(report);
  return { device, available: why === undefined, why: why ?? '', meant: existsSync(report.provider), report };
}

/** What a session says of where it runs, and metrics and events with it. */
export function labelOf(device: string, deviceIds: readonly number[] = []): string {
  return NUMBERED.has(device) ? `${device}:${deviceIds[0] ?? 0}` : device;
}

/** The same load, on the device that a session was found to run on. */
export function onDevice(load: ModelLoad, label: string): ModelLoad {
  const [device, number] = label.split(':');
  const { deviceIds: _, ...rest } = load;
  const named = { ...rest, device: device as ModelLoad['device'] };
  return number === undefined ? named : { ...named, deviceIds: [Number(number)] };
}
