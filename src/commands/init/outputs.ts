import { problemOf } from '../../check/model-outputs.ts';
import type { AvroField, AvroRecord } from '../../codecs/avro/schema.ts';
import type { TensorSpec } from '../../ports/model.ts';
import type { Line } from './columns.ts';
import { isKey } from './columns.ts';

/** One output of the model as a prediction. */
export interface Prediction {
  readonly line: Line;
  /** Its type in the output schema. */
  readonly avro: unknown;
}

export interface ProposedOutputs {
  readonly predictions: readonly Prediction[];
  /** Outputs that cannot be read, each with reason and remedy. */
  readonly unreadable: readonly string[];
  /** Event fields that identify the record that an output belongs to. */
  readonly keys: readonly AvroField[];
}

/** Reserved words, which cannot name an output. */
const NO_NAMES: ReadonlySet<string> = new Set(['null', 'true', 'false', 'this', 'event', 'prediction']);

/** Model outputs → predictions and output fields: one number each, or a list if an output has several columns. */
export function proposeOutputs(tensors: readonly TensorSpec[], event: AvroRecord): ProposedOutputs {
  const keys = event.fields.filter(isKey);
  const taken = new Set(['model', 'prediction', 'event', ...keys.map(({ name }) => name)]);
  const unreadable: string[] = [];
  const predictions: Prediction[] = [];
  for (const tensor of tensors) {
    const problem = problemOf(tensor);
    if (problem !== undefined) {
      unreadable.push(`${tensor.name} ${problem.what}: ${problem.remedy}`);
      continue;
    }
    const axes = tensor.shape.slice(1);
    const word = identifier(tensor.name);
    const name = unique(NO_NAMES.has(word) ? `${word}_` : word, taken);
    const width = (axes as number[]).reduce((all, axis) => all * axis, 1);
    const isName = /^[A-Za-z_]\w*$/.test(tensor.name) && !NO_NAMES.has(tensor.name);
    const expression = isName ? tensor.name : `output(${JSON.stringify(tensor.name)})`;
    const number =
      tensor.dtype === 'float32' || tensor.dtype === 'uint8' || tensor.dtype === 'bool' ? 'float' : 'double';
    predictions.push({
      line: { name, expression, note: width === 1 ? '' : `${width} numbers; one of them is ${expression}[0]` },
      avro: width === 1 ? number : { type: 'array', items: number },
    });
  }
  return { predictions, unreadable, keys };
}

/** The .avsc of the output. */
export function outputSchema(name: string, { predictions, keys }: ProposedOutputs): string {
  const fields = [
    ...keys.map((key) => ({
      name: key.name,
      type: key.type.type === 'union' ? key.type.branches[0].type : key.type.type,
    })),
    ...predictions.map(({ line, avro }) => ({ name: line.name, type: avro })),
    {
      name: 'model',
      type: 'string',
      doc: 'Which bundle made the prediction: NAME@VERSION and the beginning of its digest.',
    },
  ];
  const lines = fields.map((field) => `    ${JSON.stringify(field)}`).join(',\n');
  const record = identifier(name).replace(/(^|_)([a-z])/g, (_, _before, letter: string) => letter.toUpperCase());
  return `{\n  "type": "record",\n  "name": "${record}Prediction",\n  "fields": [\n${lines}\n  ]\n}\n`;
}

export function identifier(text: string): string {
  const word = text.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^_+(?=.)|_+$/g, '');
  return /^[A-Za-z_]/.test(word) ? word : `_${word}`;
}

function unique(name: string, taken: Set<string>): string {
  let free = name;
  for (let n = 2; taken.has(free); n++) free = n === 2 ? `predicted_${name}` : `predicted_${name}_${n}`;
  taken.add(free);
  return free;
}
