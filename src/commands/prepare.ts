import { prepare } from '../check/prepare.ts';
import { formatFindings } from '../documents/finding.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Topology } from '../plan/topology.ts';
import type { ModelRuntime } from '../ports/model.ts';
import { loadTopology } from '../topology/load.ts';
import type { Io } from './io.ts';

/** A topology file → a checked topology; throws `topology-invalid` with every finding in its message. */
export function readTopology(file: string, env: Io['env']): Topology {
  const loaded = loadTopology(file, env);
  if (!loaded.ok)
    throw new SluiceError('topology-invalid', `${file} cannot be used:\n${formatFindings(loaded.findings)}`);
  return loaded.topology;
}

/** A topology file → a plan; throws `contract-broken` with every finding in its message. Warnings go to standard error. */
export async function preparePlan(file: string, runtime: ModelRuntime, io: Pick<Io, 'env' | 'stderr'>): Promise<Plan> {
  const { plan, findings } = await prepare(file, { env: io.env, runtime });
  if (plan === undefined) {
    throw new SluiceError('contract-broken', `${file} cannot be run:\n${formatFindings(findings)}`);
  }
  if (findings.length > 0) io.stderr.write(`${formatFindings(findings)}\n`);
  return plan;
}
