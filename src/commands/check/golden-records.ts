import type { GoldenRecord } from '../../bundle/golden.ts';
import { columnsOf } from '../../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../codecs/json/decoder.ts';
import { didYouMean } from '../../documents/did-you-mean.ts';
import type { CheckFinding } from '../../documents/finding.ts';
import { readText } from '../../documents/text-file.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { Column } from '../../kernel/columns.ts';
import { classify } from '../../kernel/errors.ts';
import { OPEN, REASONS } from '../../kernel/fate.ts';
import type { FeatureRows, Frame } from '../../kernel/frame.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import type { Plan, ReadPlan } from '../../plan/plan.ts';
import type { ModelRuntime } from '../../ports/model.ts';
import { fieldsAtFault, misfitOf } from '../undecodable-fields.ts';
import { mixedRow } from './mixed-rows.ts';

/**
 * Runs a bundle's golden records through the compiled path — decode, preprocess, model, postprocess — and compares.
 * Returns findings for the first records that differ, at their lines in the golden file, and one that counts the rest.
 */
export async function replayGolden(
  plan: Plan,
  records: readonly GoldenRecord[],
  runtime: ModelRuntime,
): Promise<readonly CheckFinding[]> {
  const session = await runtime.load({
    file: plan.bundle.modelFile,
    device: 'cpu',
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
  });
  try {
    const frame = frameOf(plan, records);
    plan.inputs.fill(frame);
    // ONNX Runtime rejects an empty batch.
    const outputs = frame.rows === 0 ? [] : await session.run(frame.inputs, frame.rows);
    // int64 outputs, such as scikit-learn labels, are BigInt, which typed arrays of numbers reject.
    frame.outputs = outputs.map(({ values }) => Float64Array.from(values as ArrayLike<number | bigint>, Number));
    plan.predictions.predict(frame);
    const mixed = plan.topology.flow.maxBatch === 1 ? undefined : await mixedRow(plan, session, frame, outputs);
    const found = abridged(
      plan,
      records.map((record, i) => ({ record, found: misfits(plan, record) ?? differences(plan, frame, record, i) })),
    );
    return mixed === undefined ? found : [mixingFinding(plan, mixed), ...found];
  } catch (thrown) {
    const { code, message } = classify(thrown);
    if (code !== 'model-failed') throw thrown;
    return [findingAt(plan, records[0], '', message)];
  } finally {
    await session.close();
  }
}

function mixingFinding(plan: Plan, message: string): CheckFinding {
  const yaml = parseYaml(plan.bundle.file, readText(plan.bundle.file));
  return yaml.at(
    ['model'],
    message,
    'export it for inference (batch normalisation and dropout of training mix rows), without operations over the first axis; or set flow.maxBatch: 1',
  );
}

/** One mistake in an expression makes every record differ: a few examples suffice. */
const MOST_SHOWN = 5;

interface Replayed {
  readonly record: GoldenRecord;
  readonly found: readonly CheckFinding[];
}

function abridged(plan: Plan, replayed: readonly Replayed[]): readonly CheckFinding[] {
  const wrong = replayed.filter(({ found }) => found.length > 0);
  const shown = wrong.slice(0, MOST_SHOWN).flatMap(({ found }) => found);
  const more = wrong.length - MOST_SHOWN;
  if (more <= 0) return shown;
  const message = more === 1 ? '1 more golden record disagrees' : `${more} more golden records disagree`;
  return [...shown, findingAt(plan, wrong[MOST_SHOWN].record, '', message)];
}

function frameOf(plan: Plan, records: readonly GoldenRecord[]): Frame {
  const values = records.map(({ event }) => Buffer.from(JSON.stringify(event)));
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  const builder = new FrameBuilder({ topic: 'golden', partition: 0, epoch: 0 }, records.length, bytes);
  values.forEach((value, i) => void builder.append(records[i].line, 0, null, value, null));
  const frame = builder.build(records.length, 0, 0);
  frame.columns = columnsOf(plan.wants, frame.count, frame.arena);
  const { schema } = plan.topology.source.value;
  const decode = compileJsonDecoder({ schema, wants: plan.wants }).bind(frame.arena, frame.columns);
  for (let i = 0; i < frame.count; i++) {
    if (!decode(frame.valueStart[i], frame.valueEnd[i], i)) frame.fate[i] = UNDECODED;
  }
  frame.reads = plan.reads.map((read) => rowsOf(read, records));
  return frame;
}

/** Any fate but OPEN, so that later steps skip the record. */
const UNDECODED = 3;

/** One row per record, from the views that the record states. */
function rowsOf(read: ReadPlan, records: readonly GoldenRecord[]): FeatureRows {
  const { views, rowWidth } = read;
  const values = new Float64Array((records.length + 1) * rowWidth).fill(Number.NaN);
  const writtenAtMs = new Float64Array((records.length + 1) * views.length).fill(Number.NaN);
  records.forEach(({ features }, i) => {
    views.forEach((view, v) => {
      const stated = features[view.name];
      if (stated === null || stated === undefined) return;
      writtenAtMs[(i + 1) * views.length + v] = 0;
      for (const { name, offset, width } of view.columns) {
        const numbers = numbersOf(stated[name]);
        if (numbers?.length === width) values.set(numbers, (i + 1) * rowWidth + offset);
      }
    });
  });
  return { index: Int32Array.from(records, (_, i) => i + 1), values, writtenAtMs };
}

const numbersOf = (value: number | readonly number[] | undefined): readonly number[] | undefined =>
  typeof value === 'number' ? [value] : value;

/** Features whose width differs from what the topology reads: such a record cannot be replayed. */
function misfits(plan: Plan, record: GoldenRecord): CheckFinding[] | undefined {
  const found = plan.reads.flatMap(({ views }) =>
    views.flatMap((view) =>
      view.columns.flatMap(({ name, width }) => {
        const count = numbersOf(record.features[view.name]?.[name])?.length ?? width;
        if (count === width) return [];
        const path = `features.${view.name}.${name}`;
        return [findingAt(plan, record, path, `has ${count} numbers, and the topology reads ${width}`)];
      }),
    ),
  );
  return found.length > 0 ? found : undefined;
}

/** One finding per field that does not match the schema. */
function undecoded(plan: Plan, record: GoldenRecord): CheckFinding[] {
  const { schema, schemaFile } = plan.topology.source.value;
  const json = JSON.stringify(record.event);
  const bytes = Buffer.from(json);
  const names = fieldsAtFault(plan.wants, (wants) =>
    compileJsonDecoder({ schema, wants }).bind(bytes, columnsOf(wants, 1, bytes))(0, bytes.length, 0),
  );
  const finding = (path: string, why: string): CheckFinding => ({
    ...findingAt(plan, record, path, `the record is not scored: ${why}`),
    remedy: `write the event as ${schemaFile} says; docs/reference/types.md shows each type in JSON`,
  });
  if (names.length === 0) return [finding('event', 'the event does not fit its schema')];
  return names.map((name) =>
    finding(`event.${name}`, misfitOf(json, name, schema) ?? `its ${name} does not fit its schema`),
  );
}

function findingAt(plan: Plan, record: GoldenRecord, path: string, message: string): CheckFinding {
  return {
    code: 'golden-differs',
    severity: 'error',
    file: plan.bundle.goldenFile ?? plan.bundle.file,
    line: record.line,
    column: 1,
    path,
    message,
    remedy: 'correct the expression or the model, or regenerate the golden records with the training pipeline',
    excerpt: '',
  };
}

function differences(plan: Plan, frame: Frame, record: GoldenRecord, i: number): CheckFinding[] {
  const finding = (path: string, message: string): CheckFinding => findingAt(plan, record, path, message);
  if (frame.fate[i] === UNDECODED) return undecoded(plan, record);
  if (frame.fate[i] !== OPEN) return [finding('event', `the record is not scored: ${REASONS[frame.reason[i]]}`)];
  return Object.entries(record.expected).flatMap(([name, expected]) => {
    const slot = plan.predictions.predictions.findIndex((prediction) => prediction.name === name);
    if (slot < 0) {
      const known = plan.predictions.predictions.map((prediction) => prediction.name);
      const found = finding(`expected.${name}`, `the bundle predicts no "${name}"${didYouMean(name, known)}`);
      return [{ ...found, remedy: `it predicts ${known.join(', ')} (${plan.bundle.file})` }];
    }
    const got = predicted(frame.predictions[slot], i);
    return agrees(got, expected, record.tolerance)
      ? []
      : [
          finding(
            `expected.${name}`,
            `the path says ${JSON.stringify(got)}, the golden record ${JSON.stringify(expected)}`,
          ),
        ];
  });
}

/** Entry `i` of a prediction, as a plain value. */
export function predicted(column: Column, i: number): number | string | readonly number[] {
  if (column.kind === 'number') return column.values[i];
  if (column.kind === 'label') return column.labels[column.codes[i]]?.toString('utf8') ?? '';
  if (column.kind === 'vector') return [...column.values.subarray(i * column.width, (i + 1) * column.width)];
  return '';
}

function agrees(
  got: number | string | readonly number[],
  expected: number | string | readonly number[],
  tolerance: number,
): boolean {
  if (typeof got === 'number' && typeof expected === 'number') return Math.abs(got - expected) <= tolerance;
  if (typeof got === 'object' && typeof expected === 'object') {
    return got.length === expected.length && got.every((value, k) => Math.abs(value - expected[k]) <= tolerance);
  }
  return got === expected;
}
