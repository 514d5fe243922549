import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Topology } from '../../plan/topology.ts';

/** Default folders for a topology's files: beside it, then examples/NAME beside its folder or in the current directory. */
function foldersOf({ file, name }: Topology): readonly string[] {
  const beside = dirname(file);
  return [beside, join(beside, '..', 'examples', name), join('examples', name)];
}

/** Where missing features and events should be put: beside the topology. */
export function placesOf({ file }: Topology): readonly string[] {
  const beside = dirname(file);
  const events = [ownEvents(file), join(beside, 'events.jsonl')].flatMap((path) => [path, `${path}.gz`]);
  return [join(beside, 'features'), ...events];
}

function ownEvents(file: string): string {
  return join(dirname(file), `${basename(file, extname(file))}.events.jsonl`);
}

/** A folder of feature files; undefined if there is none. */
export function findFeatures(topology: Topology): string | undefined {
  return foldersOf(topology)
    .map((folder) => join(folder, 'features'))
    .find((folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory());
}

/** A file of events; undefined if there is none. The topology's own beside it, as `sluice init` writes it, comes first. */
export function findEvents(topology: Topology): string | undefined {
  const { file } = topology;
  const own = ownEvents(file);
  const named = foldersOf(topology).map((folder) => join(folder, 'events.jsonl'));
  return [own, ...named].flatMap((path) => [path, `${path}.gz`]).find((path) => existsSync(path));
}

/** All files a pipeline is made of: a change to any of them restarts it. */
export function filesOf(
  { file, source, output, model, onOverload }: Topology,
  others: readonly (string | undefined)[],
): readonly string[] {
  const named = [
    file,
    source.value.schemaFile,
    output.value.schemaFile,
    model.bundle,
    onOverload?.smallerModel,
    ...others,
  ];
  return [...new Set(named.filter((path) => path !== undefined))];
}
