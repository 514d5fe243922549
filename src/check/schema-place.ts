import type { Path } from '../documents/yaml-document.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * The path of a field in a schema (parsed JSON), by the names on the way to it: `['fields', 2, 'type', 1, 'fields', 0]`. A type
 * given by name leads to its definition. The path ends before the first name that is not found.
 */
export function pathInSchema(schema: unknown, names: readonly string[]): Path {
  let at: (string | number)[] = [];
  let record = schema as Json;
  for (const [k, name] of names.entries()) {
    const fields = Array.isArray(record.fields) ? (record.fields as readonly Json[]) : [];
    const index = fields.findIndex((field) => field?.name === name);
    if (index < 0) return at;
    at = [...at, 'fields', index];
    if (k === names.length - 1) return at;
    const inner = recordAt(fields[index].type, [...at, 'type'], schema);
    if (inner === undefined) return at;
    at = [...inner.path];
    record = inner.record;
  }
  return at;
}

interface Found {
  readonly record: Json;
  readonly path: Path;
}

function recordAt(type: unknown, path: Path, schema: unknown): Found | undefined {
  if (typeof type === 'string') return definition(schema, type, []);
  if (Array.isArray(type)) {
    for (const [k, branch] of type.entries()) {
      const found = recordAt(branch, [...path, k], schema);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const json = type as Json | null;
  if (typeof json !== 'object' || json === null) return undefined;
  if (json.type === 'record') return { record: json, path };
  return typeof json.type === 'object' ? recordAt(json.type, [...path, 'type'], schema) : undefined;
}

/** The definition of the record with that name, with or without its namespace. */
function definition(json: unknown, name: string, path: Path): Found | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { type, name: own } = json as { readonly type?: unknown; readonly name?: unknown };
  if (type === 'record' && typeof own === 'string' && shortOf(own) === shortOf(name))
    return { record: json as Json, path };
  for (const [key, value] of Object.entries(json)) {
    if (key === 'default') continue;
    const found = definition(value, name, [...path, Array.isArray(json) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function shortOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
