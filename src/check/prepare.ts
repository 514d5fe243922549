import { type GoldenRecord, loadGolden } from '../bundle/golden.ts';
import { loadBundle } from '../bundle/load.ts';
import { type CheckFinding, hasErrors } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime, TensorSpec } from '../ports/model.ts';
import type { Environment } from '../topology/interpolate.ts';
import { loadTopology } from '../topology/load.ts';
import { checkContract } from './contract.ts';

export interface PrepareDeps {
  readonly env: Environment;
  readonly runtime: Pick<ModelRuntime, 'inspect'>;
}

/** What a topology file comes to: a plan where everything fits, and all findings, warnings too. */
export interface Prepared {
  readonly plan: Plan | undefined;
  readonly findings: readonly CheckFinding[];
  /** The bundle's golden records; empty where it has none or they cannot be read (which is a finding). */
  readonly golden: readonly GoldenRecord[];
}

/**
 * Topology file → plan: every command begins with this. Reads the topology, its schemas and its bundle, and the signature of the
 * model; nothing of the network. Faults of people are findings, never exceptions.
 */
export async function prepare(topologyFile: string, { env, runtime }: PrepareDeps): Promise<Prepared> {
  const topology = loadTopology(topologyFile, env);
  if (!topology.ok) return { plan: undefined, findings: topology.findings, golden: [] };
  const loaded = loadBundle(topology.topology.model.bundle);
  if (!loaded.ok) {
    // A bundle that is not there is the mistake of the line that names it.
    const found = loaded.findings.map(({ message, remedy, ...rest }) =>
      loaded.absent ? topology.source.yaml.at(['model', 'bundle'], message, remedy) : { message, remedy, ...rest },
    );
    return { plan: undefined, findings: [...topology.findings, ...found], golden: [] };
  }
  const { bundle, source } = loaded;
  const findings = [...topology.findings];
  const golden = readGolden(bundle, findings);
  const signature = await inspect(bundle, source, runtime, findings);
  if (signature === undefined) return { plan: undefined, findings, golden };
  const checked = checkContract({
    topology: topology.topology,
    topologySource: topology.source,
    bundle,
    bundleSource: source,
    signature,
  });
  findings.push(...checked.findings);
  return { plan: hasErrors(findings) ? undefined : checked.plan, findings, golden };
}

function readGolden(bundle: Bundle, findings: CheckFinding[]): readonly GoldenRecord[] {
  if (bundle.goldenFile === undefined) return [];
  const golden = loadGolden(bundle.goldenFile);
  if (golden.ok) {
    if (golden.records.length === 0) findings.push(withoutGolden(bundle.goldenFile));
    return golden.records;
  }
  findings.push(...golden.findings);
  return [];
}

function withoutGolden(file: string): CheckFinding {
  const message = 'no golden records: nothing proves this bundle';
  const remedy = 'write records from the pipeline that trained the model, a line each';
  return { severity: 'warning', file, line: 1, column: 1, path: '', message, remedy, excerpt: '' };
}

type Signature = { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] };

async function inspect(
  bundle: Bundle,
  source: YamlDocument,
  runtime: PrepareDeps['runtime'],
  findings: CheckFinding[],
): Promise<Signature | undefined> {
  try {
    return await runtime.inspect(bundle.modelFile);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    findings.push(source.at(['model'], message, 'export the model as ONNX again, or name another file'));
    return undefined;
  }
}
