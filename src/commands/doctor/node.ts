import { type Diagnosis, ok, problem } from './finding.ts';

/** Checks the version of Node; `wanted` is `engines.node` of package.json. */
export function checkNode({ version, wanted }: { readonly version: string; readonly wanted: string }): Diagnosis {
  const least = Number(/\d+/.exec(wanted)?.[0] ?? 0);
  const major = Number(/\d+/.exec(version)?.[0] ?? 0);
  const bare = version.replace(/^v/, '');
  if (major >= least) return ok('node', bare);
  return problem('node', `${bare}, and Sluice needs ${wanted}`, `start it with node ${least} or newer`);
}
