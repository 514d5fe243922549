import { SluiceError } from '../../kernel/errors.ts';

/** A schema whose types another schema uses, in the form of a registry. */
export interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** More are no schema that anybody wrote. */
export const MAX_REFERENCED = 100;
const MAX_DEPTH = 64;
const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

type Json = Readonly<Record<string, unknown>>;

/** What a registry says of references, where it is a list of them; undefined otherwise. */
export function referencesOf(json: unknown): readonly Reference[] | undefined {
  if (json === undefined || json === null) return [];
  const isOne = (one: Partial<Reference> | null): boolean =>
    typeof one?.name === 'string' && typeof one.subject === 'string' && typeof one.version === 'number';
  return Array.isArray(json) && json.every(isOne) ? json : undefined;
}

/**
 * Makes one schema of many: the first use of a type that a referenced schema defines is replaced by its definition, later uses by its
 * full name, so that types may refer to each other or to themselves. Undefined names stay as they are; the parser of the schema
 * reports them.
 */
export function inlineReferences(schema: unknown, referenced: readonly unknown[]): unknown {
  const known = new Map<string, Json>();
  for (const one of referenced) {
    if (typeof one === 'object' && one !== null && !Array.isArray(one))
      known.set(fullName(one as Json, ''), one as Json);
  }
  const defined = new Set<string>();

  function named(name: string, namespace: string): unknown {
    if (PRIMITIVES.has(name)) return name;
    const qualified = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    for (const full of [qualified, name]) {
      if (defined.has(full)) return full;
      const definition = known.get(full);
      if (definition === undefined) continue;
      const dot = full.lastIndexOf('.');
      // What had no namespace must not take that of the type around it.
      return inlined({ ...definition, name: full.slice(dot + 1), namespace: full.slice(0, Math.max(0, dot)) }, '', 1);
    }
    return name;
  }

  function inlined(json: unknown, namespace: string, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      throw new SluiceError(
        'schema-unknown',
        `a schema of the registry nests deeper than ${MAX_DEPTH} levels with its references`,
      );
    }
    if (typeof json === 'string') return named(json, namespace);
    if (Array.isArray(json)) return json.map((branch) => inlined(branch, namespace, depth + 1));
    if (typeof json !== 'object' || json === null) return json;
    const { type, fields, items, values } = json as Json;
    if (type === 'array') return { ...json, items: inlined(items, namespace, depth + 1) };
    if (type === 'map') return { ...json, values: inlined(values, namespace, depth + 1) };
    if (type === 'enum' || type === 'fixed') {
      defined.add(fullName(json as Json, namespace));
      return json;
    }
    if ((type === 'record' || type === 'error') && Array.isArray(fields)) {
      const full = fullName(json as Json, namespace);
      defined.add(full);
      const inner = full.slice(0, Math.max(0, full.lastIndexOf('.')));
      return {
        ...json,
        fields: fields.map((field: Json) => ({ ...field, type: inlined(field?.type, inner, depth + 1) })),
      };
    }
    return { ...json, type: inlined(type, namespace, depth + 1) };
  }

  return inlined(schema, '', 0);
}

function fullName({ name, namespace }: Json, around: string): string {
  if (typeof name !== 'string' || name.includes('.')) return String(name);
  const space = typeof namespace === 'string' ? namespace : around;
  return space === '' ? name : `${space}.${name}`;
}
