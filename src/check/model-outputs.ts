import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import type { OutputRef } from '../features/types.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { TensorSpec } from '../ports/model.ts';
import { FREE_AXIS, isFixed, product, shapeText } from './model-inputs.ts';

const READABLE: readonly string[] = ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool'];

export interface ReadableOutputs {
  readonly refs: readonly OutputRef[];
  /** Outputs that a prediction names but that cannot be read; each has a finding. */
  readonly refused: number;
}

/**
 * The model outputs that predictions can name.
 *
 * Sequences, maps and strings fail only when they are fetched (a classifier exported with ZipMap has one) → a model that
 * seems to load dies at its first batch → an output that is not a numeric tensor is refused here if a prediction names it.
 */
export function readableOutputs(
  bundle: Bundle,
  yaml: YamlDocument,
  { tensors, maxBatch }: { readonly tensors: readonly TensorSpec[]; readonly maxBatch: number },
  findings: CheckFinding[],
): ReadableOutputs {
  const refs: OutputRef[] = [];
  let refused = 0;
  for (const tensor of tensors) {
    const { name, shape } = tensor;
    const problem = problemOf(tensor);
    if (problem === undefined) refs.push({ name, width: product(shape.slice(1) as number[]) });
    const line = bundle.prediction.find(({ expression }) => mentions(expression, name));
    if (line === undefined) continue;
    const path = ['prediction', line.name];
    if (problem === undefined) {
      const split = maxBatch === 1 ? undefined : splitProblem(shape);
      if (split !== undefined) findings.push(yaml.at(path, `the model's output "${name}" ${split}`, FREE, 'warning'));
    } else {
      refused++;
      findings.push(yaml.at(path, `the model's output "${name}" ${problem.what}`, problem.remedy));
    }
  }
  return { refs, refused };
}

const FREE = `${FREE_AXIS}, and for its output too; or write flow.maxBatch: 1, so that no batch is tried and split`;

/**
 * Often the declared shape is only that of the export example, and the computed one has the rows of the batch: then nothing is
 * lost. If the batch is a constant in the graph, larger batches fail and are run again in halves.
 */
function splitProblem(shape: TensorSpec['shape']): string | undefined {
  const [batch] = shape;
  if (!isFixed(batch)) return undefined;
  const rows = batch === 1 ? 'one row' : `${batch} rows`;
  return `declares ${rows} per run (${shapeText(shape)}), whatever the input: if that is true, batches of another size fail, are run again in halves down to single rows, and gain nothing`;
}

/** Why an output cannot be read as numbers per row, and the remedy; undefined if it can. */
export function problemOf({ dtype, type, shape }: TensorSpec): { what: string; remedy: string } | undefined {
  if (dtype === 'other' && type !== undefined)
    return { what: `has values of ${type}`, remedy: `export it as ${READABLE.join(', ')}` };
  if (dtype === 'other' || dtype === 'string')
    return {
      what: dtype === 'string' ? 'holds strings' : 'is not a numeric tensor',
      remedy: 'use an output of numbers; export scikit-learn classifiers with options={"zipmap": False}',
    };
  if (!READABLE.includes(dtype))
    return { what: `has values of ${dtype}`, remedy: `export it as ${READABLE.join(', ')}` };
  const [batch, ...axes] = shape;
  if (batch === undefined)
    return { what: 'has one value per run, not one per row', remedy: 'export it with the batch as first axis' };
  if (!axes.every(isFixed))
    return {
      what: `leaves its width open (${shapeText(shape)})`,
      remedy: 'export it with fixed axes after the first',
    };
  return undefined;
}

/** Whether an expression names it, outside `prediction.x` and strings. */
function mentions(expression: string, name: string): boolean {
  const bare = expression.replace(/"[^"]*"|'[^']*'/g, '""');
  return bare.split(/[^A-Za-z0-9_.$]+/).includes(name);
}
