import type { ColumnWant } from '../../../src/codecs/types.ts';

/** Random Avro record schemas, and values of them as avsc takes them (longs as BigInt, union values as `{branch: value}`). */
export class RandomAvro {
  private readonly random: () => number;
  private names = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  schema(): RandomSchema {
    const fields = Array.from({ length: 1 + this.below(7) }, (_, index) => ({ name: `f${index}`, type: this.type(0) }));
    return { type: 'record', name: 'Root', fields };
  }

  /** Only types that a column can hold, so that it can be written again. */
  flatSchema(): RandomSchema {
    const fields = Array.from({ length: 1 + this.below(7) }, (_, index) => {
      const inner = this.pick([...PRIMITIVES, () => this.enumeration(), () => ({ type: 'array', items: 'float' })])();
      const shape = this.below(4);
      const type = shape === 0 ? ['null', inner] : shape === 1 ? [inner, 'null'] : inner;
      return { name: `f${index}`, type };
    });
    return { type: 'record', name: 'Flat', fields };
  }

  private type(depth: number): unknown {
    const choice = this.below(depth > 3 ? 8 : 14);
    if (choice < 6) return this.pick(PRIMITIVES)();
    if (choice === 6) return this.enumeration();
    if (choice === 7) return { type: 'fixed', name: this.name(), size: 4 * this.below(4) };
    if (choice === 8)
      return {
        type: 'array',
        items: this.pick([() => 'float', () => 'double', () => 'int', () => this.type(depth + 1)])(),
      };
    if (choice === 9) return { type: 'map', values: this.type(depth + 1) };
    if (choice === 10) return this.record(depth);
    const inner = this.plain(depth);
    if (choice === 11) return ['null', inner];
    if (choice === 12) return [inner, 'null'];
    return this.pick([
      ['null', 'int', 'double'],
      ['string', 'null', 'long'],
      ['int', 'string'],
      ['boolean', 'float', 'null'],
    ]);
  }

  private plain(depth: number): unknown {
    for (;;) {
      const type = this.type(depth + 1);
      if (!Array.isArray(type) && type !== 'null') return type;
    }
  }

  private record(depth: number): unknown {
    const name = this.name();
    const fields = Array.from({ length: this.below(4) }, (_, index) => ({
      name: `g${index}`,
      type: this.type(depth + 1),
    }));
    if (this.below(3) === 0) fields.push({ name: 'next', type: ['null', name] });
    return { type: 'record', name, fields };
  }

  private enumeration(): unknown {
    return { type: 'enum', name: this.name(), symbols: ['LOW', 'MEDIUM', 'HIGH', 'X'].slice(0, 1 + this.below(4)) };
  }

  private name(): string {
    return `N${this.names++}`;
  }

  value(type: unknown, named = new Map<string, unknown>()): unknown {
    if (Array.isArray(type)) {
      for (const branch of type) this.learn(branch, named);
      const branch = this.pick(type);
      return branch === 'null' ? null : { [branchName(branch)]: this.value(branch, named) };
    }
    if (typeof type === 'string') return named.has(type) ? this.value(named.get(type), named) : this.primitive(type);
    this.learn(type, named);
    const schema = type as {
      type: string;
      symbols: string[];
      size: number;
      items: unknown;
      values: unknown;
      fields: RandomField[];
    };
    switch (schema.type) {
      case 'enum':
        return this.pick(schema.symbols);
      case 'fixed':
        return Buffer.from(Array.from({ length: schema.size }, () => this.below(256)));
      case 'array':
        return Array.from({ length: this.below(5) }, () => this.value(schema.items, named));
      case 'map':
        return Object.fromEntries(
          Array.from({ length: this.below(3) }, (_, k) => [`k${k}`, this.value(schema.values, named)]),
        );
      case 'long':
        return this.primitive('long');
      default: {
        for (const field of schema.fields) this.learn(field.type, named);
        return Object.fromEntries(schema.fields.map((field) => [field.name, this.value(field.type, named)]));
      }
    }
  }

  private learn(type: unknown, named: Map<string, unknown>): void {
    const { name } = type as { name?: string };
    if (name !== undefined) named.set(name, type);
  }

  protected primitive(type: string): unknown {
    switch (type) {
      case 'null':
        return null;
      case 'boolean':
        return this.below(2) === 1;
      case 'int':
        return this.pick([0, -1, 63, 64, -64, -65, 2 ** 31 - 1, -(2 ** 31), this.below(2 ** 31)]);
      case 'long':
        return this.pick([
          0n,
          -1n,
          2n ** 53n - 1n,
          -(2n ** 53n),
          2n ** 63n - 1n,
          -(2n ** 63n),
          BigInt(this.below(2 ** 50)) - 2n ** 40n,
        ]);
      case 'float':
        return Math.fround(this.pick([0, -0, 0.1, 1e-40, 3e38, Infinity, this.random() * 100 - 50]));
      case 'double':
        return this.pick([0, 0.1, 5e-324, 1.7e308, -Infinity, this.random() * 1e6]);
      case 'bytes':
        return Buffer.from(Array.from({ length: 4 * this.below(4) }, () => this.below(256)));
      default:
        return this.pick(['', 'ATL', 'Zürich', '漢字 🛫', 'x'.repeat(this.below(200)), 'a "quoted" \\ line\n']);
    }
  }
}

export interface RandomField {
  readonly name: string;
  readonly type: unknown;
}

export interface RandomSchema {
  readonly type: 'record';
  readonly name: string;
  readonly fields: readonly RandomField[];
}

const PRIMITIVES: readonly (() => unknown)[] = [
  () => 'boolean',
  () => 'int',
  () => 'long',
  () => 'float',
  () => 'double',
  () => 'string',
  () => ({ type: 'long', logicalType: 'timestamp-millis-of-another-kind' }),
];

export function branchName(branch: unknown): string {
  if (typeof branch === 'string') return branch;
  const { name, type } = branch as { name?: string; type: string };
  return name ?? type;
}

/** A union value without its wrapping. */
export function unwrap(value: unknown): unknown {
  const wrapped = typeof value === 'object' && value !== null && !Buffer.isBuffer(value) && !Array.isArray(value);
  return wrapped ? Object.values(value)[0] : value;
}

/** What a column should hold for an oracle's value; undefined: the decoder should refuse it. */
export function expected(value: unknown, { kind, width }: ColumnWant): unknown {
  const plain = unwrap(value);
  if (plain === null) return null;
  if (kind === 'long') return typeof plain === 'number' ? BigInt(plain) : plain;
  if (kind === 'string') return plain;
  if (kind === 'number') {
    const number = Number(plain);
    return typeof plain === 'bigint' && !Number.isSafeInteger(number) ? undefined : number;
  }
  if (Buffer.isBuffer(plain)) {
    if (plain.length !== 4 * width) return undefined;
    return Array.from({ length: width }, (_, index) => plain.readFloatLE(4 * index));
  }
  const list = plain as (number | bigint)[];
  if (list.length !== width || list.some((item) => typeof item === 'bigint' && !Number.isSafeInteger(Number(item))))
    return undefined;
  return list.map(Number);
}
