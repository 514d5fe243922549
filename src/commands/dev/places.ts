import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Topology } from '../../plan/topology.ts';

/** Where what belongs to a topology lies when nobody says so: beside it, then in examples/NAME, beside its folder or from where the command is run. */
function foldersOf({ file, name }: Topology): readonly string[] {
  const beside = dirname(file);
  return [beside, join(beside, '..', 'examples', name), join('examples', name)];
}

/** Where features and events would be found that are not there yet: beside the topology. */
export function placesOf({ file }: Topology): readonly string[] {
  const beside = dirname(file);
  const events = [ownEvents(file), join(beside, 'events.jsonl')].flatMap((path) => [path, `${path}.gz`]);
  return [join(beside, 'features'), ...events];
}

function ownEvents(file: string): string {
  return join(dirname(file), `${basename(file, extname(file))}.events.jsonl`);
}

/** A folder of feature files; undefined where none is found. */
export function findFeatures(topology: Topology): string | undefined {
  return foldersOf(topology)
    .map((folder) => join(folder, 'features'))
    .find((folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory());
}

/** A file of events; undefined where none is found. That of its own name beside the topology, as `sluice init` writes it, goes first. */
export function findEvents(topology: Topology): string | undefined {
  const { file } = topology;
  const own = ownEvents(file);
  const named = foldersOf(topology).map((folder) => join(folder, 'events.jsonl'));
  return [own, ...named].flatMap((path) => [path, `${path}.gz`]).find((path) => existsSync(path));
}

/** All that a pipeline is made of: a change of any of it is a reason to make it anew. */
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
