import { didYouMean } from '../documents/did-you-mean.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import type { InputProgram } from '../features/types.ts';
import type { Bundle, BundleInput } from '../plan/bundle.ts';
import type { InputDType, Plan } from '../plan/plan.ts';
import type { TensorSpec } from '../ports/model.ts';

const DTYPES: readonly string[] = ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool'] satisfies InputDType[];

/** Pairs the bundle's inputs with the model's by name. A pair that cannot work is a finding and has no program. */
export function pairInputs(
  bundle: Bundle,
  yaml: YamlDocument,
  tensors: readonly TensorSpec[],
  findings: CheckFinding[],
): readonly InputProgram[] {
  const programs: InputProgram[] = [];
  const names = tensors.map((tensor) => tensor.name);
  for (const input of bundle.inputs) {
    const path = ['inputs', input.name];
    const tensor = tensors.find((candidate) => candidate.name === input.name);
    if (tensor === undefined) {
      const hint = didYouMean(input.name, names);
      findings.push(
        yaml.atKey(path, `the model has no input "${input.name}"${hint}`, `its inputs are ${listed(names)}`),
      );
    } else if (!DTYPES.includes(tensor.dtype)) {
      const wanted = tensor.dtype === 'other' ? (tensor.type ?? 'other') : tensor.dtype;
      const message = `the model wants ${wanted} values for "${input.name}"`;
      findings.push(yaml.atKey(path, message, `export the model with an input of ${DTYPES.join(', ')}`));
    } else if (input.lines.length === 0) {
      findings.push(yaml.at(path, 'has no lines', 'write NAME: EXPRESSION a line, in tensor order'));
    } else {
      programs.push({ name: input.name, dtype: tensor.dtype as InputDType, lines: input.lines });
    }
  }
  for (const { name } of tensors) {
    if (bundle.inputs.some((input) => input.name === name)) continue;
    findings.push(
      yaml.atKey(
        ['inputs'],
        `the model has an input "${name}" that nothing fills`,
        `add ${name}: with its lines below inputs`,
      ),
    );
  }
  return programs;
}

export interface ShapeParts {
  readonly bundle: Bundle;
  readonly yaml: YamlDocument;
  readonly programs: readonly InputProgram[];
  /** Values per row, by program. */
  readonly widths: readonly number[];
  readonly tensors: readonly TensorSpec[];
  readonly maxBatch: number;
}

/** The row shape of each input: as the file states it, checked against the model, or as the model implies it. */
export function fitShapes(parts: ShapeParts, findings: CheckFinding[]): Plan['feeds'] {
  const { bundle, yaml, programs, widths, tensors, maxBatch } = parts;
  return programs.map(({ name, dtype }, i) => {
    const input = bundle.inputs.find((candidate) => candidate.name === name) as BundleInput;
    const tensor = tensors.find((candidate) => candidate.name === name) as TensorSpec;
    const problem = batchProblem(tensor, maxBatch);
    if (problem !== undefined) findings.push(yaml.atKey(['inputs', name], problem.message, problem.remedy));
    const fitted = problem === undefined ? fitShape(input, widths[i], tensor) : [widths[i]];
    if (!('message' in fitted)) return { name, rowShape: fitted, dtype };
    const path = input.shape === undefined ? ['inputs', name] : ['inputs', name, 'shape'];
    findings.push(yaml.atKey(path, fitted.message, fitted.remedy));
    return { name, rowShape: [widths[i]], dtype };
  });
}

/** The export options for this, for people who train models. */
export const FREE_AXIS =
  'export the model with a free first axis (torch.onnx.export: dynamic_axes={"NAME": {0: "n"}}; skl2onnx: [None, WIDTH] in initial_types)';

interface Problem {
  readonly message: string;
  readonly remedy: string;
}

function batchProblem({ name, shape }: TensorSpec, maxBatch: number): Problem | undefined {
  const [batch] = shape;
  if (batch === undefined)
    return {
      message: `the model's input "${name}" has no axis for the batch`,
      remedy: FREE_AXIS,
    };
  if (!isFixed(batch) || (batch === 1 && maxBatch === 1)) return undefined;
  return {
    message: `the model's input "${name}" takes exactly ${batch} rows per run`,
    remedy: `${FREE_AXIS}${batch === 1 ? ', or write flow.maxBatch: 1' : ''}`,
  };
}

function fitShape(input: BundleInput, width: number, tensor: TensorSpec): readonly number[] | Problem {
  const axes = tensor.shape.slice(1);
  const wanted = shapeText(tensor.shape);
  if (input.shape !== undefined) {
    const stated = input.shape;
    const fits = stated.length === axes.length && axes.every((axis, i) => !isFixed(axis) || axis === stated[i]);
    if (!fits)
      return {
        message: `shape ${shapeText(stated)} does not fit the model's ${wanted}`,
        remedy: 'write the axes after the first',
      };
    if (product(stated) !== width)
      return {
        message: `shape ${shapeText(stated)} holds ${product(stated)} values, and the lines give ${width}`,
        remedy: `make the lines give ${product(stated)}`,
      };
    return stated;
  }
  const free = axes.filter((axis) => !isFixed(axis));
  if (free.length === 0) {
    const fixed = axes as number[];
    if (product(fixed) === width) return fixed;
    return {
      message: `the lines give ${width} values per row, and the model wants ${product(fixed)} (${wanted})`,
      remedy: `add or remove lines until they give ${product(fixed)}`,
    };
  }
  if (axes.length === 1) return [width];
  return {
    message: `the model leaves axes of a row open (${wanted})`,
    remedy: 'state them, for example shape: [1, 28, 28]',
  };
}

/** Models declare a free axis with a name, with nothing, or with -1. */
export function isFixed(axis: number | string): axis is number {
  return typeof axis === 'number' && axis >= 0;
}

export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((axis) => (isFixed(axis) ? axis : typeof axis === 'string' && axis !== '' ? axis : '?')).join(', ')}]`;
}

export function product(shape: readonly number[]): number {
  return shape.reduce((all, axis) => all * axis, 1);
}

function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
