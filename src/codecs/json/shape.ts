import { encodeConstant } from '../avro/defaults.ts';
import { branchesOf, decimalOf, isNullable } from '../avro/fields.ts';
import type { AvroField, AvroRecord, AvroType, Decimal } from '../avro/schema.ts';
import { type TimeText, timeTextOf } from './times.ts';

/** A type prepared for writeJsonAsAvro: whatever would be made or looked up for each value is made once. */
export interface JsonShape {
  readonly type: AvroType['type'];
  readonly decimal: Decimal | undefined;
  readonly time: TimeText | undefined;
  /** Size of a fixed; -1 for bytes. */
  readonly size: number;
  readonly symbols: readonly Buffer[];
  /** Branches of a union, or the one shape of items or values. */
  readonly parts: readonly JsonShape[];
  readonly fields: readonly JsonShapeField[];
}

export interface JsonShapeField {
  readonly name: Buffer;
  readonly shape: JsonShape;
  /** What stands for it if it is absent, encoded: its default, or null; undefined: it is required. */
  readonly constant: Buffer | undefined;
}

export function jsonShape(type: AvroType, known: Map<AvroRecord, JsonShape> = new Map()): JsonShape {
  const found = type.type === 'record' ? known.get(type) : undefined;
  if (found !== undefined) return found;
  const parts: JsonShape[] = [];
  const fields: JsonShapeField[] = [];
  const shape: JsonShape = {
    type: type.type,
    decimal: decimalOf(type),
    time: timeTextOf(type),
    size: type.type === 'fixed' ? type.size : -1,
    symbols: type.type === 'enum' ? type.symbols.map((symbol) => Buffer.from(symbol)) : [],
    parts,
    fields,
  };
  if (type.type === 'union') for (const branch of type.branches) parts.push(jsonShape(branch, known));
  if (type.type === 'array') parts.push(jsonShape(type.items, known));
  if (type.type === 'map') parts.push(jsonShape(type.values, known));
  if (type.type === 'record') {
    known.set(type, shape);
    for (const field of type.fields) {
      const { name, type: inner } = field;
      fields.push({ name: Buffer.from(name), shape: jsonShape(inner, known), constant: constantOf(field) });
    }
  }
  return shape;
}

function constantOf(field: AvroField): Buffer | undefined {
  const { name, type, default: json } = field;
  if (json !== undefined) return encodeConstant(type, json, name);
  if (!isNullable(type)) return undefined;
  const index = branchesOf(type).findIndex((branch) => branch.type === 'null');
  return type.type === 'union' ? Buffer.from([2 * index]) : Buffer.alloc(0);
}
