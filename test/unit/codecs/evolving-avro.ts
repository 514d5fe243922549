import { RandomAvro, type RandomSchema } from './random-avro.ts';

/**
 * A reader's schema made from a writer's: fields in another order, added with a default, left out, renamed with an alias; types
 * promoted, made nullable, made wider unions; enums with more symbols, or fewer and a default. At every depth.
 */
export class EvolvingAvro extends RandomAvro {
  evolved(schema: RandomSchema): RandomSchema {
    return this.changed(schema as unknown as Json) as unknown as RandomSchema;
  }

  /** avsc loses the sign of longs beyond 2^53 when it promotes them. */
  protected override primitive(type: string): unknown {
    return type === 'long' ? BigInt(this.below(2 ** 50)) - 2n ** 49n : super.primitive(type);
  }

  private changed(schema: Json): Json {
    const kept = (schema.fields as Json[]).filter(() => this.below(8) > 0);
    const fields = kept.map((field, k): Json => {
      const renamed = this.below(6) === 0 ? { name: `r${k}`, aliases: [field.name] } : { name: field.name };
      return { ...renamed, type: this.evolve(field.type) };
    });
    for (let more = this.below(3); more > 0; more--) {
      fields.splice(this.below(fields.length + 1), 0, { name: `a${more}`, ...this.pick(DEFAULTS) });
    }
    if (this.below(2) === 0) fields.reverse();
    return { ...schema, fields };
  }

  private evolve(type: unknown): unknown {
    if (Array.isArray(type)) {
      // A branch that is a name refers to a record, which must not be defined again.
      const branches = type.map((branch) => (typeof branch === 'string' ? branch : this.evolve(branch)));
      if (branches.some(Array.isArray)) return type;
      return this.below(3) === 0 && !branches.includes('bytes') ? [...branches, 'bytes'] : branches;
    }
    const choice = this.below(4);
    if (typeof type === 'string') {
      if (choice > 1) return type;
      const wider = WIDER[type];
      const to = wider === undefined ? type : this.pick(wider);
      return choice === 0 && to !== 'null' && PRIMITIVE.has(to) ? ['null', to] : to;
    }
    const json = type as Json;
    switch (json.type) {
      case 'record':
        return this.changed(json);
      case 'array':
        return { ...json, items: this.evolve(json.items) };
      case 'map':
        return { ...json, values: this.evolve(json.values) };
      case 'enum': {
        const symbols = json.symbols as string[];
        if (choice === 0) return { ...json, symbols: ['NEW', ...symbols] };
        if (choice === 1 && symbols.length > 1) return { ...json, symbols: symbols.slice(1), default: symbols[1] };
        return json;
      }
      default:
        return json;
    }
  }
}

type Json = Readonly<Record<string, unknown>>;

const PRIMITIVE = new Set(['boolean', 'int', 'long', 'float', 'double', 'string', 'bytes']);

const WIDER: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
};

const DEFAULTS: readonly Json[] = [
  { type: 'int', default: -3 },
  { type: 'string', default: 'ü' },
  { type: ['null', 'double'], default: null },
  { type: { type: 'array', items: 'long' }, default: [1, -2] },
  { type: { type: 'map', values: 'string' }, default: { a: 'b' } },
  { type: 'bytes', default: '\u00ff\u0001' },
];
