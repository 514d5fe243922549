import { z } from 'zod';
import { missingOr, said, shown, strict } from '../documents/zod-findings.ts';

/** bundle.yaml as one schema. The order of its maps matters, and is read from the document: see load.ts. */

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const FILE = /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\\\0]+$/;

function text(what: string, example: string, pattern: RegExp) {
  const remedy = `write ${what}, for example ${example}`;
  return z
    .string({ error: (issue) => missingOr(issue.input, `${shown(issue.input)} is not text`, remedy) })
    .regex(pattern, { error: (issue) => said(`${shown(issue.input)} is not ${what}`, remedy) });
}

const file = (example: string) => text('the path of a file inside the bundle', example, FILE);

const name = (what: string) => text(`${what} (letters, digits, _; not starting with a digit)`, 'late', NAME);

const EXPRESSION_REMEDY = 'write an expression, for example log1p(event.distance ?? 0)';
const wrongExpression = (input: unknown) => missingOr(input, `${shown(input)} is not an expression`, EXPRESSION_REMEDY);
const isExpression = (value: unknown) =>
  (typeof value === 'string' && value.trim() !== '') || typeof value === 'number';

const expression = z.custom<string | number>(isExpression, { error: (issue) => wrongExpression(issue.input) });

const isShape = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every((axis) => Number.isSafeInteger(axis) && axis > 0);

/** A line of an ONNX input, or, under the key `shape`, the shape of one row. */
const line = z.custom<string | number | number[]>((value) => isExpression(value) || isShape(value), {
  error: (issue) =>
    Array.isArray(issue.input)
      ? said(`${shown(issue.input)} is not a shape`, 'write the axes of one row, for example shape: [1, 28, 28]')
      : wrongExpression(issue.input),
});

function mapOf<Key extends z.core.$ZodRecordKey, Value extends z.ZodType>(key: Key, value: Value, remedy: string) {
  return z
    .record(key, value, { error: (issue) => missingOr(issue.input, `${shown(issue.input)} is not a map`, remedy) })
    .refine((map) => Object.keys(map).length > 0, { error: said('is empty', remedy) });
}

export const bundleSchema = strict({
  bundle: text('a name (letters, digits, . _ -; at most 100)', 'flight-delay', /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
  version: z.union([z.string(), z.number()], {
    error: (issue) =>
      missingOr(issue.input, `${shown(issue.input)} is not a version`, 'write the name of its folder, for example 1'),
  }),
  model: file('model.onnx'),
  let: mapOf(name('a name'), expression, 'write one NAME: EXPRESSION per line, or omit let').optional(),
  inputs: mapOf(
    z.string().min(1),
    mapOf(name('a line'), line, 'write one NAME: EXPRESSION per line, in tensor order'),
    "write the ONNX input's name, and below it NAME: EXPRESSION a line",
  ),
  prediction: mapOf(
    name('a prediction'),
    expression,
    'write one NAME: EXPRESSION per line, for example probability: probability[0]',
  ),
  golden: file('golden.jsonl').optional(),
});
