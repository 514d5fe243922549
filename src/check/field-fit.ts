import { branchesOf, decimalOf, describe, isNullable, isNumber } from '../codecs/avro/fields.ts';
import { preferredBranch } from '../codecs/avro/output-plan.ts';
import { clashes } from '../codecs/avro/resolve.ts';
import type { AvroType } from '../codecs/avro/schema.ts';
import type { PredictionField } from '../features/types.ts';
import type { ColumnKind } from '../kernel/columns.ts';
import type { DetailColumn } from '../plan/plan.ts';

/** Why values of a source do not fit a field of the output schema, and the remedy; undefined if they fit. */
export interface Misfit {
  readonly message: string;
  readonly remedy: string;
}

/** Types that each kind of event value may become: Avro's promotions, and any number to float, because predictions are float32. */
const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  boolean: ['boolean'],
  int: ['int', 'long', 'float', 'double'],
  long: ['long', 'float', 'double'],
  float: ['float', 'double'],
  double: ['float', 'double'],
  string: ['string'],
};

/**
 * `name` is the source as written, `event.id`; `where` the place of the output field in its .avsc; `kind` the kind of column in
 * between, which is written as one branch of the field, whichever branch of the event's type it comes from.
 */
export function eventMisfit(
  name: string,
  from: AvroType,
  to: AvroType,
  kind: Exclude<ColumnKind, 'raw'>,
  where: string,
): Misfit | undefined {
  const branches = branchesOf(to);
  const targets = branches.slice(preferredBranch(kind, branches)).slice(0, 1);
  for (const branch of valuesOf(from)) {
    if (targets.some((target) => accepts(branch, target))) continue;
    return {
      message: `${name} is ${describe(from)}, and the field is ${describe(to)} (${where})`,
      remedy: 'declare the field with the type that the event has, or map another value to it',
    };
  }
  if (!isNullable(from) || isNullable(to)) return undefined;
  return {
    message: `${name} may be null, and the field (${where}) does not allow null: such records would be dead-lettered`,
    remedy: `declare the field as ["null", ${quoted(to)}], or map a value that is never null`,
  };
}

function accepts(from: AvroType, to: AvroType): boolean {
  if (decimalOf(from) !== undefined) return isFloating(to);
  if (clashes(from, to)) return false;
  if (from.type === 'array') return to.type === 'array' && isNumber(from.items) && isFloating(to.items);
  if (from.type === 'enum')
    return to.type === 'string' || (to.type === 'enum' && from.symbols.every((symbol) => to.symbols.includes(symbol)));
  return PROMOTIONS[from.type]?.includes(to.type) ?? false;
}

/** Only predictions that are always whole numbers may go into int and long; the outermost call of the expression decides. */
export function predictionMisfit(
  prediction: PredictionField,
  integral: boolean,
  to: AvroType,
  where: string,
): Misfit | undefined {
  const targets = valuesOf(to);
  const name = `prediction.${prediction.name}`;
  const field = `the field is ${describe(to)} (${where})`;
  if (prediction.kind === 'label') {
    if (targets.some((target) => target.type === 'string')) return undefined;
    const symbols = targets.find((target) => target.type === 'enum')?.symbols;
    const unknown = symbols && prediction.labels?.find((label) => !symbols.includes(label));
    if (symbols !== undefined && unknown === undefined) return undefined;
    if (unknown !== undefined) {
      const message = `${name} may be "${unknown}", which is not a symbol of ${describe(to)} (${where})`;
      return { message, remedy: `add "${unknown}" to the symbols of the enum, or declare the field as string` };
    }
    return { message: `${name} is a label, and ${field}`, remedy: 'declare the field as string' };
  }
  if (prediction.kind === 'vector') {
    if (targets.some((target) => target.type === 'array' && isFloating(target.items))) return undefined;
    return {
      message: `${name} is a vector of ${prediction.width}, and ${field}`,
      remedy: `declare the field as an array of float, or map one value: ${prediction.name}[0]`,
    };
  }
  if (targets.some(isFloating)) return undefined;
  const whole = targets.some((target) => target.type === 'int' || target.type === 'long');
  if (whole && integral) return undefined;
  const remedy = whole
    ? 'declare the field as float, or round in the bundle, for example floor(…)'
    : 'declare the field as float';
  return { message: `${name} is a number${whole ? ' that may have a fraction' : ''}, and ${field}`, remedy };
}

/** A store holds arbitrary numbers. `nullable`: a row that is not found gives null. */
export function detailMisfit(
  { name, kind, width }: Pick<DetailColumn, 'name' | 'kind' | 'width'>,
  nullable: boolean,
  to: AvroType,
  where: string,
): Misfit | undefined {
  const field = `the field is ${describe(to)} (${where})`;
  const fits = (target: AvroType) =>
    kind === 'vector' ? target.type === 'array' && isFloating(target.items) : isFloating(target);
  if (!valuesOf(to).some(fits)) {
    const [what, type] =
      kind === 'vector' ? [`a vector of ${width}`, 'an array of float'] : ['a number', 'float or double'];
    return { message: `${name} is ${what}, and ${field}`, remedy: `declare the field as ${type}` };
  }
  if (!nullable || isNullable(to)) return undefined;
  return {
    message: `${name} is null if no row is found, and the field (${where}) does not allow null: such records would be dead-lettered`,
    remedy: `declare the field as ["null", ${quoted(to)}], or write onMissing: dead-letter (and no onStale: missing)`,
  };
}

export function textMisfit(name: string, value: string, to: AvroType, where: string): Misfit | undefined {
  const fits = (type: AvroType) => type.type === 'string' || (type.type === 'enum' && type.symbols.includes(value));
  if (valuesOf(to).some(fits)) return undefined;
  return {
    message: `${name} is text, and the field is ${describe(to)} (${where})`,
    remedy: 'declare the field as string',
  };
}

function valuesOf(type: AvroType): readonly AvroType[] {
  return branchesOf(type).filter((branch) => branch.type !== 'null');
}

function isFloating(type: AvroType): boolean {
  return type.type === 'float' || type.type === 'double';
}

function quoted(type: AvroType): string {
  return 'name' in type || type.type === 'array' || type.type === 'map' ? '…' : `"${describe(type)}"`;
}
