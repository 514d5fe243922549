import { type ErrorCode, SluiceError } from '../../kernel/errors.ts';

/**
 * An .avsc (parsed JSON) as an immutable tree of types, names resolved.
 *
 * Promise: total over any JSON; anything that is not a schema throws with the path of the bad part. A named type is one object
 * wherever it is used, so the tree of a recursive schema has cycles: walk it by identity.
 * Limits: 64 levels of nesting. Defaults are kept as JSON and checked only when one is needed (defaults.ts).
 * Unknown attributes, unknown logical types and invalid decimals are ignored, as the specification asks.
 */
export type AvroType = AvroPrimitive | AvroFixed | AvroEnum | AvroArray | AvroMap | AvroUnion | AvroRecord;

export interface AvroPrimitive {
  readonly type: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';
  readonly logicalType: string | undefined;
  readonly decimal?: Decimal | undefined;
}

/** For bytes or fixed that hold an unscaled value in big-endian two's complement: the value is `unscaled / 10 ** scale`. */
export interface Decimal {
  readonly precision: number;
  readonly scale: number;
}

export interface AvroFixed {
  readonly type: 'fixed';
  readonly name: string;
  readonly size: number;
  readonly logicalType: string | undefined;
  readonly decimal?: Decimal | undefined;
}

export interface AvroEnum {
  readonly type: 'enum';
  readonly name: string;
  readonly symbols: readonly string[];
  /** What a reader uses for a symbol that it does not know. */
  readonly default: string | undefined;
}

export interface AvroArray {
  readonly type: 'array';
  readonly items: AvroType;
}

export interface AvroMap {
  readonly type: 'map';
  readonly values: AvroType;
}

export interface AvroUnion {
  readonly type: 'union';
  readonly branches: readonly AvroType[];
}

export interface AvroRecord {
  readonly type: 'record';
  /** Full name, with its namespace. */
  readonly name: string;
  readonly fields: readonly AvroField[];
}

export interface AvroField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: AvroType;
  /** JSON; undefined: the field has none (null is a default). */
  readonly default: unknown;
}

/** Most levels of nesting, of a schema and of a value of a recursive schema. */
export const MAX_DEPTH = 64;

const PRIMITIVES: ReadonlySet<string> = new Set([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

type Json = Readonly<Record<string, unknown>>;

/** The tree of a schema. Throws SluiceError with `code` if the JSON is not an Avro schema. */
export function parseAvroSchema(json: unknown, code: ErrorCode = 'contract-broken'): AvroType {
  return new SchemaParser(code).parse(json, '', 'schema', 0);
}

/** As parseAvroSchema, for a schema that must be a record. */
export function parseAvroRecord(json: unknown, code: ErrorCode = 'contract-broken'): AvroRecord {
  const type = parseAvroSchema(json, code);
  if (type.type === 'record') return type;
  throw new SluiceError(code, `the schema is ${article(type.type)}; a value must be an Avro record with named fields`);
}

class SchemaParser {
  private readonly code: ErrorCode;
  private readonly named = new Map<string, AvroType>();

  constructor(code: ErrorCode) {
    this.code = code;
  }

  parse(json: unknown, namespace: string, path: string, depth: number): AvroType {
    if (depth > MAX_DEPTH) throw this.bad(path, `nests deeper than ${MAX_DEPTH} levels`);
    if (typeof json === 'string') return this.reference(json, namespace, path);
    if (Array.isArray(json)) return this.union(json, namespace, path, depth);
    if (typeof json !== 'object' || json === null) throw this.bad(path, 'is neither a name, an object nor a list');
    const schema = json as Json;
    const { type } = schema;
    if (typeof type === 'object' && type !== null) return this.parse(type, namespace, `${path}.type`, depth + 1);
    switch (type) {
      case 'array':
        return Object.freeze({ type, items: this.parse(schema.items, namespace, `${path}.items`, depth + 1) });
      case 'map':
        return Object.freeze({ type, values: this.parse(schema.values, namespace, `${path}.values`, depth + 1) });
      case 'fixed':
        return this.fixed(schema, namespace, path);
      case 'enum':
        return this.enumeration(schema, namespace, path);
      case 'record':
      case 'error':
        return this.record(schema, namespace, path, depth);
      default:
        if (typeof type !== 'string') throw this.bad(path, 'has no "type"');
        if (!PRIMITIVES.has(type)) return this.reference(type, namespace, path);
        return primitive(type, schema.logicalType, type === 'bytes' ? decimalOf(schema) : undefined);
    }
  }

  private reference(name: string, namespace: string, path: string): AvroType {
    if (PRIMITIVES.has(name)) return primitive(name, undefined);
    const qualified = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    const known = this.named.get(qualified) ?? this.named.get(name);
    if (known === undefined)
      throw this.bad(
        path,
        `names a type "${name}" that is neither one of Avro (${[...PRIMITIVES].join(', ')}, …) nor defined before it`,
      );
    return known;
  }

  private union(json: readonly unknown[], namespace: string, path: string, depth: number): AvroUnion {
    const branches = json.map((branch, index) => this.parse(branch, namespace, `${path}[${index}]`, depth + 1));
    const seen = new Set<string>();
    for (const branch of branches) {
      if (branch.type === 'union') throw this.bad(path, 'is a union inside a union');
      const key = 'name' in branch ? branch.name : branch.type;
      if (seen.has(key)) throw this.bad(path, `has ${key} twice`);
      seen.add(key);
    }
    if (branches.length === 0) throw this.bad(path, 'is an empty union');
    return Object.freeze({ type: 'union', branches: Object.freeze(branches) });
  }

  private fixed(schema: Json, namespace: string, path: string): AvroFixed {
    const { size } = schema;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 0x7fffffff) {
      throw this.bad(path, 'is a fixed whose "size" is not a number of bytes');
    }
    const name = this.name(schema, namespace, path);
    const decimal = decimalOf(schema, size);
    return this.define(
      name,
      Object.freeze({ type: 'fixed', name, size, logicalType: text(schema.logicalType), decimal }),
    );
  }

  private enumeration(schema: Json, namespace: string, path: string): AvroEnum {
    const symbols = this.names(schema.symbols, `${path}.symbols`);
    if (symbols.length === 0) throw this.bad(path, 'is an enum without symbols');
    const fallback = text(schema.default);
    if (fallback !== undefined && !symbols.includes(fallback))
      throw this.bad(path, `has no symbol "${fallback}", its default`);
    const name = this.name(schema, namespace, path);
    return this.define(name, Object.freeze({ type: 'enum', name, symbols, default: fallback }));
  }

  private record(schema: Json, namespace: string, path: string, depth: number): AvroRecord {
    const name = this.name(schema, namespace, path);
    if (!Array.isArray(schema.fields)) throw this.bad(path, 'is a record without "fields"');
    const fields: AvroField[] = [];
    const record: AvroRecord = { type: 'record', name, fields };
    this.define(name, record);
    const inner = name.slice(0, Math.max(0, name.lastIndexOf('.')));
    const seen = new Set<string>();
    for (const [index, field] of (schema.fields as unknown[]).entries()) {
      const at = `${path}.fields[${index}]`;
      if (typeof field !== 'object' || field === null) throw this.bad(at, 'is not a field');
      const json = field as Json;
      const label = text(json.name);
      if (label === undefined || !NAME.test(label)) throw this.bad(at, noName(label));
      if (seen.has(label)) throw this.bad(at, `is a second field "${label}"`);
      seen.add(label);
      fields.push(
        Object.freeze({
          name: label,
          aliases: json.aliases === undefined ? [] : this.names(json.aliases, `${at}.aliases`),
          type: this.parse(json.type, inner, `${path}.${label}`, depth + 1),
          default: json.default,
        }),
      );
    }
    Object.freeze(fields);
    return Object.freeze(record);
  }

  private define<T extends AvroType & { readonly name: string }>(name: string, type: T): T {
    this.named.set(name, type);
    return type;
  }

  /** The full name of a named type; a name may be defined only once. */
  private name(schema: Json, namespace: string, path: string): string {
    const short = text(schema.name);
    if (short === undefined || !short.split('.').every((part) => NAME.test(part))) {
      throw this.bad(path, noName(short));
    }
    const space = text(schema.namespace) ?? namespace;
    if (space !== '' && !space.split('.').every((part) => NAME.test(part))) {
      throw this.bad(path, `has the invalid namespace "${space}"`);
    }
    const full = short.includes('.') || space === '' ? short : `${space}.${short}`;
    if (PRIMITIVES.has(full)) throw this.bad(path, `takes the name of a primitive type, "${full}"`);
    if (this.named.has(full)) throw this.bad(path, `defines "${full}" a second time`);
    return full;
  }

  private names(json: unknown, path: string): readonly string[] {
    if (!Array.isArray(json)) throw this.bad(path, 'is not a list of names');
    const seen = new Set<string>();
    for (const name of json as unknown[]) {
      if (typeof name !== 'string' || !NAME.test(name))
        throw this.bad(path, `has the invalid name ${JSON.stringify(name)}`);
      if (seen.has(name)) throw this.bad(path, `has "${name}" twice`);
      seen.add(name);
    }
    return Object.freeze([...seen]);
  }

  private bad(path: string, what: string): SluiceError {
    return new SluiceError(this.code, `not an Avro schema: ${path} ${what}`);
  }
}

function primitive(type: string, logicalType: unknown, decimal?: Decimal): AvroPrimitive {
  return Object.freeze({ type: type as AvroPrimitive['type'], logicalType: text(logicalType), decimal });
}

/** Undefined: not a decimal, or one that the specification says to ignore; `size` (bytes of a fixed) limits its digits. */
function decimalOf({ logicalType, precision, scale = 0 }: Json, size?: number): Decimal | undefined {
  if (logicalType !== 'decimal' || !isCount(precision) || !isCount(scale) || precision < 1) return undefined;
  const most = size === undefined ? Number.POSITIVE_INFINITY : Math.floor((8 * size - 1) * Math.log10(2));
  return scale > precision || precision > most ? undefined : Object.freeze({ precision, scale });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function text(json: unknown): string | undefined {
  return typeof json === 'string' ? json : undefined;
}

function article(noun: string): string {
  return /^[aei]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function noName(given: string | undefined): string {
  return given === undefined
    ? 'has no "name"'
    : `is named "${given}", and a name of Avro has the letters A to Z and a to z, digits and _ alone`;
}
