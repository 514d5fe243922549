import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import { compileInputs } from '../features/inputs.ts';
import { compilePredictions } from '../features/predictions.ts';
import type { CompiledInputs, CompiledPredictions, Finding, Scope } from '../features/types.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { Plan } from '../plan/plan.ts';
import type { TensorSpec } from '../ports/model.ts';
import { fitShapes, pairInputs } from './model-inputs.ts';
import { readableOutputs } from './model-outputs.ts';

export interface BundleProgram {
  /** Undefined if they contain an error. */
  readonly inputs: CompiledInputs | undefined;
  readonly predictions: CompiledPredictions | undefined;
  readonly feeds: Plan['feeds'];
}

export interface BundleParts {
  readonly bundle: Bundle;
  readonly source: YamlDocument;
  readonly signature: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] };
  readonly scope: Scope;
  readonly maxBatch: number;
}

/** Compiles the bundle's expressions against the event, the views and the model; findings point into bundle.yaml. */
export function compileBundle(parts: BundleParts, findings: CheckFinding[]): BundleProgram {
  const { bundle, source, signature, scope, maxBatch } = parts;
  const programs = pairInputs(bundle, source, signature.inputs, findings);
  const inputs = compileInputs({ let: bundle.let, inputs: programs, scope, transforms: bundle.transforms });
  findings.push(...inputs.findings.map((finding) => locate(finding, bundle, source)));
  const feeds = inputs.ok
    ? fitShapes(
        { bundle, yaml: source, programs, widths: inputs.program.widths, tensors: signature.inputs, maxBatch },
        findings,
      )
    : [];

  const outputs = readableOutputs(bundle, source, { tensors: signature.outputs, maxBatch }, findings);
  if (outputs.refused > 0) return { inputs: inputs.ok ? inputs.program : undefined, predictions: undefined, feeds };
  const predictions = compilePredictions({
    prediction: bundle.prediction,
    outputs: outputs.refs,
    transforms: bundle.transforms,
  });
  findings.push(...predictions.findings.map((finding) => locate(finding, bundle, source)));
  return {
    inputs: inputs.ok ? inputs.program : undefined,
    predictions: predictions.ok ? predictions.program : undefined,
    feeds,
  };
}

/** A finding of the expression language knows its line; the path follows from what is there. */
function locate(finding: Finding, bundle: Bundle, source: YamlDocument): CheckFinding {
  const { line, column, message, remedy, severity } = finding;
  const found = source.atLine(line, column, pathOf(finding, bundle), message, remedy);
  return { ...found, code: 'expression-invalid', severity };
}

function pathOf({ line, name }: Finding, bundle: Bundle): readonly string[] {
  const stands = (candidate: { name: string; line: number }) => candidate.line === line && candidate.name === name;
  if (bundle.let.some(stands)) return ['let', name];
  if (bundle.prediction.some(stands)) return ['prediction', name];
  const input = bundle.inputs.find((candidate) => candidate.lines.some(stands));
  return input === undefined ? [name] : ['inputs', input.name, name];
}
