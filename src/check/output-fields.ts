import { branchesOf, describe, serves } from '../codecs/avro/fields.ts';
import { fieldAt } from '../codecs/avro/paths.ts';
import { rawBranch } from '../codecs/avro/same-encoding.ts';
import type { AvroField } from '../codecs/avro/schema.ts';
import type { ColumnWant, FieldSource, OutputField } from '../codecs/types.ts';
import { didYouMean } from '../documents/did-you-mean.ts';
import type { CheckFinding } from '../documents/finding.ts';
import type { YamlDocument } from '../documents/yaml-document.ts';
import { parseExpression } from '../features/syntax.ts';
import type { PredictionField } from '../features/types.ts';
import type { Bundle } from '../plan/bundle.ts';
import type { NamedDetail } from './details.ts';
import { noField, placeOf, type RecordSchema } from './event-schema.ts';
import { detailMisfit, eventMisfit, type Misfit, predictionMisfit, textMisfit } from './field-fit.ts';
import type { WantList } from './wants.ts';

export interface OutputContext {
  readonly yaml: YamlDocument;
  readonly event: RecordSchema;
  readonly output: RecordSchema;
  readonly bundle: Bundle;
  /** Undefined if they did not compile: fields that name predictions are then not checked. */
  readonly predictions: readonly PredictionField[] | undefined;
  /** Columns that details read. */
  readonly details: readonly NamedDetail[];
  /** Those that output fields name, in the order of their slots after the predictions; filled here. */
  readonly asked: NamedDetail[];
  readonly wants: WantList;
  readonly findings: CheckFinding[];
}

/** Resolves `output.fields` to the sources of their values, and checks each against the output schema. */
export function resolveOutputFields(
  fields: Readonly<Record<string, string>>,
  context: OutputContext,
): readonly OutputField[] {
  const { output, yaml, findings } = context;
  const resolved: OutputField[] = [];
  const known = [...output.fields.keys()];
  for (const [name, source] of Object.entries(fields)) {
    const target = output.record.fields.find((field) => field.name === name);
    if (target === undefined) {
      const hint = didYouMean(name, known);
      const message = `${output.document.file} has no field "${name}"${hint}`;
      findings.push(
        yaml.atKey(['output', 'fields', name], message, `its fields are ${known.join(', ')}; or add it there`),
      );
      continue;
    }
    const found = resolveSource(source, target, context);
    if ('message' in found) findings.push(yaml.at(['output', 'fields', name], found.message, found.remedy));
    else if (found.from !== 'nothing') resolved.push({ name, source: found });
  }
  for (const field of output.record.fields) {
    if (Object.hasOwn(fields, field.name) || field.default !== undefined) continue;
    const message = `nothing fills "${field.name}" (${describe(field.type)}, ${placeOf(output, field.name)}), and it has no default`;
    findings.push(
      yaml.atKey(['output', 'fields'], message, `add ${field.name}: …, or give the field a default in the schema`),
    );
  }
  return resolved;
}

type Resolved = FieldSource | Misfit | { readonly from: 'nothing' };

function resolveSource(source: string, target: AvroField, context: OutputContext): Resolved {
  const [owner, name, column] = source.split('.');
  const where = placeOf(context.output, target.name);
  if (owner === 'event') return resolveEvent(source.slice('event.'.length), target, where, context);
  if (owner === 'prediction') return resolvePrediction(name, target, where, context);
  if (owner === 'details') return resolveDetail(name, column, target, where, context);
  const value = modelText(name, context.bundle);
  return textMisfit(source, value, target.type, where) ?? { from: 'constant', value };
}

function resolveEvent(name: string, target: AvroField, where: string, { event, wants }: OutputContext): Resolved {
  const field = fieldAt(event.record, name);
  if (field === undefined) {
    const { message, remedy, isFirst } = noField(event.record, name, '', event.document.file);
    return { message: isFirst ? message : `event.${message} (${event.document.file})`, remedy };
  }
  const as = passedAs(field, target);
  const misfit = eventMisfit(`event.${name}`, field.type, target.type, as, where);
  const whole = rawBranch(field.type, target.type) !== undefined;
  if (misfit !== undefined && !whole) return misfit;
  const several = branchesOf(field.type).filter(({ type }) => type !== 'null').length > 1;
  const kind = misfit !== undefined || (several && whole) ? 'raw' : as;
  if (kind !== 'vector' && kind !== 'raw') return { from: 'event', slot: wants.slotOf(name, kind) };
  const vector = wants.wants.find((want) => want.field === name && want.kind === 'vector');
  if (vector !== undefined && kind === 'vector') {
    return { from: 'event', slot: wants.slotOf(name, 'vector', vector.width) };
  }
  if (whole) return { from: 'event', slot: wants.rawSlotOf(name, field.type) };
  return {
    message: `event.${name} is ${describe(field.type)}, the field ${describe(target.type)} (${where}), and nothing says how many values it has`,
    remedy: `declare the field as the event has it, or use it in the bundle with its width, event.${name}[N]`,
  };
}

/** Longs keep their 64 bits, text its bytes; a long that becomes a float passes as a number. */
function passedAs(field: AvroField, target: AvroField): Exclude<ColumnWant['kind'], 'raw'> {
  const every = (kind: ColumnWant['kind']) =>
    branchesOf(field.type).every((branch) => branch.type === 'null' || serves(branch, kind));
  if (every('string')) return 'string';
  const takes = (type: 'int' | 'long') => branchesOf(target.type).some((branch) => branch.type === type);
  const isInt = branchesOf(field.type).every(({ type }) => type === 'int' || type === 'null');
  if (every('long') && (takes('long') || (isInt && takes('int')))) return 'long';
  return every('number') ? 'number' : 'vector';
}

function resolvePrediction(
  name: string,
  target: AvroField,
  where: string,
  { predictions, bundle }: OutputContext,
): Resolved {
  if (predictions === undefined) return { from: 'nothing' };
  const slot = predictions.findIndex((prediction) => prediction.name === name);
  if (slot < 0) {
    const known = predictions.map((prediction) => prediction.name);
    return {
      message: `the bundle predicts no "${name}"${didYouMean(name, known)}`,
      remedy: `it predicts ${known.join(', ')} (${bundle.file})`,
    };
  }
  const misfit = predictionMisfit(predictions[slot], isWhole(name, bundle), target.type, where);
  return misfit ?? { from: 'prediction', slot };
}

function resolveDetail(
  view: string,
  column: string,
  target: AvroField,
  where: string,
  { details, asked, predictions }: OutputContext,
): Resolved {
  const detail = details.find((each) => each.view === view && each.column === column);
  if (detail === undefined) {
    const known = details.map(({ name }) => name);
    if (known.length === 0)
      return {
        message: `no entry of details reads details.${view}.${column}`,
        remedy: 'add an entry under details: with that view and column',
      };
    const hint = didYouMean(`details.${view}.${column}`, known);
    return {
      message: `details reads no column "${column}" in view "${view}"${hint}`,
      remedy: `they read ${known.join(', ')}`,
    };
  }
  const misfit = detailMisfit(detail, detail.nullable, target.type, where);
  if (misfit !== undefined) return misfit;
  if (predictions === undefined) return { from: 'nothing' };
  if (!asked.includes(detail)) asked.push(detail);
  return { from: 'prediction', slot: predictions.length + asked.indexOf(detail) };
}

/** Functions whose result is a whole number. */
const WHOLE = new Set(['argMax', 'threshold', 'floor', 'ceil', 'round', 'floorDiv', 'missing']);

function isWhole(name: string, bundle: Bundle): boolean {
  const line = bundle.prediction.find((candidate) => candidate.name === name);
  const outermost = line && parseExpression(line.expression);
  return outermost?.kind === 'call' && WHOLE.has(outermost.name);
}

function modelText(name: string, bundle: Bundle): string {
  if (name === 'digest') return bundle.digest.slice(0, 12);
  if (name === 'label') return bundle.label;
  return name === 'name' ? bundle.name : bundle.version;
}
