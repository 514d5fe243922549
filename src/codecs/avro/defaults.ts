import { SluiceError } from '../../kernel/errors.ts';
import { branchesOf, describe } from './fields.ts';
import { type AvroField, type AvroType, MAX_DEPTH } from './schema.ts';

/**
 * Defaults of fields: JSON in the schema, checked only when one is needed. In a union the first branch that fits is taken.
 * For bytes and fixed, they are strings whose characters U+0000 to U+00FF are the bytes.
 */

/** The branch of a field's type that its default fits. Throws `contract-broken` if it fits none. */
export function defaultBranch(field: AvroField): AvroType {
  const branch = branchesOf(field.type).find((candidate) => fits(candidate, field.default, 0));
  if (branch !== undefined) return branch;
  throw new SluiceError(
    'contract-broken',
    `the default of field "${field.name}", ${JSON.stringify(field.default)}, is not ${describe(field.type)}`,
  );
}

/** A JSON constant for a field of this type, in Avro's binary encoding. Throws `contract-broken` if it is not a value of that type. */
export function encodeConstant(type: AvroType, json: unknown, fieldName: string): Buffer {
  checkConstant(type, json, fieldName);
  const out: number[] = [];
  encode(type, json, out);
  return Buffer.from(out);
}

/** Throws `contract-broken` if a JSON constant is not a value of the field's type. */
export function checkConstant(type: AvroType, json: unknown, fieldName: string): void {
  if (fits(type, json, 0)) return;
  throw new SluiceError(
    'contract-broken',
    `${JSON.stringify(json, shown)} is no value for the field "${fieldName}", ${describe(type)}`,
  );
}

/** JSON.stringify throws for a BigInt. */
function shown(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function fits(type: AvroType, json: unknown, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  switch (type.type) {
    case 'null':
      return json === null;
    case 'boolean':
      return typeof json === 'boolean';
    case 'int':
      return typeof json === 'number' && (json | 0) === json;
    case 'long':
      return Number.isSafeInteger(json) || (typeof json === 'bigint' && BigInt.asIntN(64, json) === json);
    case 'float':
      return Number.isFinite(json) && Number.isFinite(Math.fround(json as number));
    case 'double':
      return Number.isFinite(json);
    case 'string':
      return typeof json === 'string';
    case 'bytes':
      return isLatin1(json);
    case 'fixed':
      return isLatin1(json) && json.length === type.size;
    case 'enum':
      return type.symbols.includes(json as string);
    case 'union':
      return type.branches.some((branch) => fits(branch, json, depth + 1));
    case 'array':
      return Array.isArray(json) && json.every((item) => fits(type.items, item, depth + 1));
    case 'map':
      return isObject(json) && Object.values(json).every((value) => fits(type.values, value, depth + 1));
    case 'record':
      return isObject(json) && type.fields.every((field) => fits(field.type, fieldValue(json, field), depth + 1));
  }
}

function encode(type: AvroType, json: unknown, out: number[]): void {
  switch (type.type) {
    case 'null':
      return;
    case 'boolean':
      out.push(json === true ? 1 : 0);
      return;
    case 'int':
    case 'long':
      pushLong(out, json as number | bigint);
      return;
    case 'float':
      out.push(...new Uint8Array(new Float32Array([json as number]).buffer));
      return;
    case 'double':
      out.push(...new Uint8Array(new Float64Array([json as number]).buffer));
      return;
    case 'string':
    case 'bytes':
    case 'fixed': {
      const bytes = Buffer.from(json as string, type.type === 'string' ? 'utf8' : 'latin1');
      if (type.type !== 'fixed') pushLong(out, bytes.length);
      for (const byte of bytes) out.push(byte);
      return;
    }
    case 'enum':
      pushLong(out, type.symbols.indexOf(json as string));
      return;
    case 'union': {
      const index = type.branches.findIndex((branch) => fits(branch, json, 0));
      pushLong(out, index);
      encode(type.branches[index], json, out);
      return;
    }
    case 'array': {
      const items = json as readonly unknown[];
      if (items.length > 0) pushLong(out, items.length);
      for (const item of items) encode(type.items, item, out);
      pushLong(out, 0);
      return;
    }
    case 'map': {
      const entries = Object.entries(json as object);
      if (entries.length > 0) pushLong(out, entries.length);
      for (const [key, value] of entries) {
        encode({ type: 'string', logicalType: undefined }, key, out);
        encode(type.values, value, out);
      }
      pushLong(out, 0);
      return;
    }
    case 'record':
      for (const field of type.fields) encode(field.type, fieldValue(json as object, field), out);
  }
}

/** A zigzag varint; `value` is an integer. */
function pushLong(out: number[], value: number | bigint): void {
  const long = BigInt(value);
  let rest = BigInt.asUintN(64, (long << 1n) ^ (long >> 63n));
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

function fieldValue(json: object, field: AvroField): unknown {
  return Object.hasOwn(json, field.name) ? (json as Record<string, unknown>)[field.name] : field.default;
}

function isObject(json: unknown): json is object {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function isLatin1(json: unknown): json is string {
  return typeof json === 'string' && Buffer.from(json, 'latin1').toString('latin1') === json;
}
