import { type Column, labelColumn, numberColumn, vectorColumn } from '../kernel/columns.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import { assemble, indent } from './assemble.ts';
import { Checker } from './check.ts';
import { Block, Program } from './emit.ts';
import { OutputNames, type UsedOutput } from './output-names.ts';
import type { Transforms } from './transforms.ts';
import type { Compiled, CompiledPredictions, Line, OutputRef, PredictionField } from './types.ts';
import { describe, isNumeric, type LabelValue, type NumericValue, remembered } from './value.ts';

export interface PredictionsSpec {
  readonly prediction: readonly Line[];
  readonly outputs: readonly OutputRef[];
  readonly transforms?: Transforms;
}

/** Compiles a bundle's postprocessing: all named predictions as one function over a frame. */
export function compilePredictions(spec: PredictionsSpec): Compiled<CompiledPredictions> {
  const names = new OutputNames(spec.outputs);
  const checker = new Checker(names, spec.transforms);
  const typed = spec.prediction.map((line) => ({ line, value: typePrediction(checker, names, line) }));
  const { findings } = checker;
  if (checker.failed) return { ok: false, findings };

  const program = new Program();
  const body = new Block(program);
  const heads: string[] = [];
  const make: ((count: number) => Column)[] = [];
  const predictions: PredictionField[] = [];
  typed.forEach(({ line, value }, k) => {
    if (value === undefined) return;
    body.comment(`${line.name}: ${line.expression}`);
    heads.push(...emitPrediction(body, value, k));
    make.push(columnOf(value));
    predictions.push({
      name: line.name,
      kind: value.kind,
      width: value.kind === 'vector' ? value.width : 1,
      ...(value.kind === 'label' && { labels: value.labels }),
    });
  });
  const source = assemble(program, [
    'return function predict(frame, columns) {',
    '  const { fate, rows, recordOf, outputs } = frame;',
    ...indent(program.frame, 1),
    ...indent(heads, 1),
    '  for (let r = 0; r < rows; r++) {',
    '    const i = recordOf[r];',
    `    if (fate[i] !== ${OPEN}) continue;`,
    ...indent(finiteTest(names.used), 2),
    ...indent(body.lines, 2),
    '  }',
    '  frame.predictions = columns;',
    '};',
  ]);
  const columns = (count: number): readonly Column[] => make.map((each) => each(count));
  const predict = source.evaluate({ notFinite }) as (frame: Frame, columns: readonly Column[]) => void;
  const compiled: CompiledPredictions = {
    fetches: names.used.map(({ name }) => name),
    predictions,
    columns,
    predict: (frame, given = columns(frame.count)) => predict(frame, given),
    source: source.text,
  };
  return { ok: true, program: compiled, findings };
}

const NOT_FINITE = reasonCode('output-not-finite');

function notFinite(frame: Frame, i: number): void {
  decide(frame, i, DEAD_LETTERED, NOT_FINITE);
}

function typePrediction(checker: Checker, names: OutputNames, line: Line): NumericValue | LabelValue | undefined {
  const value = checker.check(line);
  if (!checker.isNewName(line, (name) => names.predictions.has(name))) return undefined;
  const usable = value !== undefined && (isNumeric(value) || value.kind === 'label');
  if (value !== undefined && !usable) {
    checker.error(line, `a prediction is a number, a vector or a label, not ${describe(value)}`, 'name a model output');
  }
  const kept = usable ? (isNumeric(value) ? remembered(value) : value) : undefined;
  names.predictions.set(line.name, kept);
  return kept;
}

function columnOf(value: NumericValue | LabelValue): (count: number) => Column {
  if (value.kind === 'label') {
    const labels = value.labels.map((label) => Buffer.from(label, 'utf8'));
    return (count) => labelColumn(count, labels);
  }
  return value.kind === 'number' ? numberColumn : (count) => vectorColumn(count, value.width);
}

/** Writes the value into its column and returns the statements, run once a frame, that bind the column's parts. */
function emitPrediction(body: Block, value: NumericValue | LabelValue, k: number): string[] {
  if (value.kind === 'label') {
    body.push(`d${k}[i] = ${value.code(body)};`);
    return [`const d${k} = columns[${k}].codes;`];
  }
  if (value.kind === 'number') {
    body.push(`d${k}[i] = ${value.code(body, 0)};`);
    return [`const d${k} = columns[${k}].values;`];
  }
  const { width } = value;
  body.each(width, (block, j) => block.push(`d${k}[i * ${width} + ${j}] = ${value.code(block, j)};`));
  body.push(`p${k}[i] = 1;`);
  return [`const d${k} = columns[${k}].values;`, `const p${k} = columns[${k}].present;`];
}

/** Skips a record for which a used element of an output is not finite: x - x is 0 only for finite x. */
function finiteTest(used: readonly UsedOutput[]): string[] {
  const lines: string[] = [];
  for (const { array, width, elements } of used) {
    const every = elements === 'all';
    const tests = every ? [] : [...elements].sort((a, b) => a - b).map((k) => `${array}[r * ${width} + ${k}]`);
    if (every) {
      lines.push(`let ${array}x = 0;`);
      lines.push(
        `for (let j = r * ${width}; j < r * ${width} + ${width}; j++) ${array}x += ${array}[j] - ${array}[j];`,
      );
    } else {
      lines.push(`const ${array}x = ${tests.map((x) => `(${x} - ${x})`).join(' + ')};`);
    }
    lines.push(`if (${array}x !== 0) {`, '  notFinite(frame, i);', '  continue;', '}');
  }
  return lines;
}
