import { type GoldenRecord, loadGolden } from '../bundle/golden.ts';
import { loadBundle } from '../bundle/load.ts';
import { type CheckFinding, hasErrors } from '../documents/finding.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelRuntime, TensorSpec } from '../ports/model.ts';
import type { Environment } from '../topology/interpolate.ts';
import { type LoadedTopology, loadTopology } from '../topology/load.ts';
import { checkContract } from './contract.ts';
import { defaultFindings } from './defaults.ts';

export interface PrepareDeps {
  readonly env: Environment;
  readonly runtime: Pick<ModelRuntime, 'inspect'>;
}

/** What a topology file yields: a plan if everything fits, and all findings, including warnings. */
export interface Prepared {
  readonly plan: Plan | undefined;
  readonly findings: readonly CheckFinding[];
  /** The bundle's golden records; empty if it has none or they cannot be read (which is a finding). */
  readonly golden: readonly GoldenRecord[];
  /** Those of `onOverload.smallerModel`. */
  readonly smallerGolden: readonly GoldenRecord[];
}

/**
 * Topology file → plan: every command begins with this. Reads the topology, its schemas, its bundles and the signatures of the
 * models, but nothing from the network. People's mistakes are findings, never exceptions.
 */
export async function prepare(topologyFile: string, { env, runtime }: PrepareDeps): Promise<Prepared> {
  const topology = loadTopology(topologyFile, env);
  if (!topology.ok) return { plan: undefined, findings: topology.findings, golden: [], smallerGolden: [] };
  const { model, onOverload } = topology.topology;
  const findings = [...topology.findings];
  const whole = await prepareBundle(topology, model.bundle, ['model', 'bundle'], runtime);
  findings.push(...whole.findings);
  const { golden } = whole;
  if (onOverload?.smallerModel === undefined) {
    return { plan: hasErrors(findings) ? undefined : whole.plan, findings, golden, smallerGolden: [] };
  }
  const path = ['onOverload', 'smallerModel'];
  const smaller = await prepareBundle(topology, onOverload.smallerModel, path, runtime);
  // Mistakes in the topology and the schemas are found once with each bundle.
  findings.push(...smaller.findings.filter((found) => !whole.findings.some((other) => isSame(found, other))));
  if (whole.plan !== undefined && whole.plan.bundle.digest === smaller.plan?.bundle.digest) {
    const message = `is the same bundle as model.bundle, ${whole.plan.bundle.label}`;
    findings.push(topology.source.yaml.at(path, message, 'name another bundle, or leave it out'));
  }
  const { plan } = whole;
  return {
    plan: plan === undefined || hasErrors(findings) ? undefined : Object.freeze({ ...plan, smaller: smaller.plan }),
    findings,
    golden,
    smallerGolden: smaller.golden,
  };
}

type Loaded = Extract<LoadedTopology, { ok: true }>;

/** `path`: the topology key that names the bundle. */
async function prepareBundle(
  { topology, source: topologySource }: Loaded,
  folder: string,
  path: Path,
  runtime: PrepareDeps['runtime'],
): Promise<Omit<Prepared, 'smallerGolden'>> {
  const loaded = loadBundle(folder);
  if (!loaded.ok) {
    // A missing bundle is a mistake in the line that names it.
    const found = loaded.findings.map(({ message, remedy, ...rest }) =>
      loaded.absent ? topologySource.yaml.at(path, message, remedy) : { message, remedy, ...rest },
    );
    return { plan: undefined, findings: found, golden: [] };
  }
  const { bundle, source } = loaded;
  const findings: CheckFinding[] = [];
  const golden = readGolden(bundle, findings);
  const signature = await inspect(bundle, source, runtime, findings);
  if (signature === undefined) return { plan: undefined, findings, golden };
  const checked = checkContract({ topology, topologySource, bundle, bundleSource: source, signature });
  findings.push(...checked.findings);
  if (checked.plan !== undefined) findings.push(...defaultFindings(checked.plan, topologySource.sourceSchema));
  return { plan: checked.plan, findings, golden };
}

function isSame(one: CheckFinding, other: CheckFinding): boolean {
  return one.file === other.file && one.line === other.line && one.path === other.path && one.message === other.message;
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
  const remedy = 'write records from the pipeline that trained the model, one per line';
  return {
    code: 'golden-missing',
    severity: 'warning',
    file,
    line: 1,
    column: 1,
    path: '',
    message,
    remedy,
    excerpt: '',
  };
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
