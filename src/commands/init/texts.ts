import type { AvroRecord } from '../../codecs/avro/schema.ts';
import { DTYPES } from '../../features/dtypes.ts';
import { type Line, suggestion } from './columns.ts';
import { barestEvent, exampleEvent } from './example.ts';
import type { FilledInput, Fitted } from './fit.ts';
import type { ProposedOutputs } from './outputs.ts';

/** The texts of a new topology's files. */

export interface Texts {
  readonly name: string;
  readonly eventFile: string;
  readonly outputFile: string;
  readonly event: AvroRecord;
  readonly fitted: Fitted;
  readonly outputs: ProposedOutputs;
}

export function topologyText({ name, eventFile, outputFile, outputs, fitted }: Texts): string {
  const fields = [
    ...outputs.keys.map((key) => `    ${key.name}: event.${key.name}`),
    ...outputs.predictions.map(({ line }) => `    ${line.name}: prediction.${line.name}`),
    '    model: model.label',
  ];
  const [key] = outputs.keys;
  const single = fitted.inputs.some(({ tensor }) => tensor.shape[0] === 1);
  return `# ${name}, written by sluice init. Paths are looked up beside this file first.
topology: ${name}
connections:                        # \${NAME:-default} is read from the environment
  kafka:    { brokers: "\${KAFKA_BROKERS:-localhost:9092}" }
  registry: { url: "\${SCHEMA_REGISTRY_URL:-http://localhost:8081}" }
source:
  topics: [${name}.events]
  group: ${name}
  value: { avro: schemas/${eventFile}, wire: confluent }
model:
  bundle: models/${name}            # its newest version
flow:
  latencyBudget: 50ms               # the promise; batching is derived from it
${single ? '  maxBatch: 1                       # the model takes one row a run\n' : ''}output:
  topic: ${name}.predictions
${key === undefined ? '  # without a key here, an output has the key of its input\n' : `  key: "{${key.name}}"\n`}  value: { avro: schemas/${outputFile}, wire: confluent }
  fields:
${fields.join('\n')}
deadLetter: { topic: ${name}.dead-letter }
`;
}

export function bundleText({ name, fitted, outputs }: Texts, golden: boolean): string {
  const notes = fitted.unused.map((each) => `  # ${suggestion(each)}\n`).join('');
  const predictions = outputs.predictions.map(({ line }) => lineText(line, 2));
  const unreadable = outputs.unreadable.map((what) => `  # ${what}\n`).join('');
  return `# The model, and all that must change with it. Written by sluice init from names and types alone: whether the columns are
# those that the model was trained on, in that order, on that scale, nobody has checked.
bundle: ${name}
version: 1
model: model.onnx
inputs:
${notes}${fitted.inputs.map(inputText).join('')}prediction:
${unreadable}${predictions.join('')}${golden ? '# What this bundle said when it was made. Put records of the pipeline that trained the model in their place: they prove it.\ngolden: golden.jsonl\n' : '# golden: golden.jsonl            # raw inputs → expected predictions, from the pipeline that trained the model\n'}`;
}

function inputText(input: FilledInput): string {
  const { tensor, lines, width, wanted } = input;
  const missing = missingColumns(input);
  const place = missing === undefined ? '' : `    # ${missing}\n`;
  const shape =
    wanted === undefined && tensor.shape.length > 2
      ? '    # shape: [1, 28, 28]           # the model leaves axes open: state them\n'
      : '';
  const head = `  ${keyText(tensor.name)}:${' '.repeat(Math.max(1, 30 - tensor.name.length))}# ${tensor.type ?? tensor.dtype}, ${width} column${width === 1 ? '' : 's'} in this order\n`;
  return head + shape + lines.map((line) => lineText(line, 4)).join('') + place;
}

/** What is wrong with an input's width, and where to add what is missing; undefined if it fits. */
export function missingColumns({ tensor, width, wanted }: FilledInput): string | undefined {
  if (!(tensor.dtype in DTYPES)) {
    const types = Object.keys(DTYPES).join(', ');
    return `"${tensor.name}" takes ${tensor.type ?? tensor.dtype} values, which no line gives: export the model with an input of ${types}`;
  }
  if (wanted === undefined || wanted === width) return undefined;
  const off = Math.abs(wanted - width);
  const columns = `${off} column${off === 1 ? '' : 's'}`;
  return wanted > width
    ? `${columns} of "${tensor.name}" missing: the model wants ${wanted}, these lines give ${width}; write them here, or give lines more columns`
    : `${columns} of "${tensor.name}" too many: the model wants ${wanted}, these lines give ${width}; take lines out that it was not trained on`;
}

function lineText({ name, expression, note }: Line, indent: number): string {
  const text = `${' '.repeat(indent)}${name}: ${/[#:]|^["'([{!&*|>@`%]/.test(expression) ? `'${expression.replaceAll("'", "''")}'` : expression}`;
  return note === '' ? `${text}\n` : `${text.padEnd(40)} # ${note}\n`;
}

function keyText(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
}

/** Made-up events: one that fills the schema, one with null wherever allowed. */
export function exampleEvents({ event, fitted }: Texts): readonly Record<string, unknown>[] {
  const widths = new Map(
    fitted.inputs.flatMap(({ lines }) =>
      lines.flatMap(({ expression }) => {
        const [, field, width] = /^event\.([\w.]+)\[(\d+)\]$/.exec(expression) ?? [];
        return field === undefined ? [] : [[field, Number(width)] as const];
      }),
    ),
  );
  const whole = exampleEvent(event, widths);
  const bare = barestEvent(event, whole);
  return bare === undefined ? [whole] : [whole, bare];
}

const CASE_NAMES = ['a record as the schema describes it', 'nothing that may be missing is there'];

/** Cases without expectations, which are filled in from the results. */
export function casesText(texts: Texts): string {
  const events = exampleEvents(texts).map(
    (event, i) => `  - name: ${CASE_NAMES[i]}\n    event: ${JSON.stringify(event)}\n`,
  );
  return `# Records, and what must become of each: sluice test ${texts.name}.yaml
# The records are made up: put real ones in their place. What is expected is what came out, for you to judge; where nothing is
# expected yet, --update writes it.
cases:
${events.join('')}  - name: a value that does not fit the schema
    value: "?"
  - name: a record without a value
    event: null
`;
}
