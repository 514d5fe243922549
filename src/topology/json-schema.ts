import { z } from 'zod';
import { topologySchema } from './schema.ts';

/**
 * The JSON Schema of the topology file, for editors. Values other than free text may also be a `${NAME}` reference: references are
 * replaced before the file is checked, so editors must accept them.
 */
export function topologyJsonSchema(): string {
  const schema = z.toJSONSchema(topologySchema, {
    io: 'input',
    target: 'draft-07',
    override: ({ jsonSchema, path }) => {
      // Completion must not offer a key that is refused.
      for (const [key, property] of Object.entries(jsonSchema.properties ?? {})) {
        if (typeof property === 'object' && property.not !== undefined) delete jsonSchema.properties?.[key];
      }
      if (path.at(-1) === 'propertyNames') return;
      const constrained = ['type', 'pattern', 'enum', 'minimum', 'maximum', 'minLength'] as const;
      const isNumber = jsonSchema.type === 'integer' || jsonSchema.type === 'number' || jsonSchema.type === 'boolean';
      if (!isNumber && jsonSchema.pattern === undefined && jsonSchema.enum === undefined) return;
      const own: Record<string, unknown> = {};
      for (const key of constrained) {
        if (jsonSchema[key] === undefined) continue;
        own[key] = jsonSchema[key];
        delete jsonSchema[key];
      }
      jsonSchema.anyOf = [own, { type: 'string', pattern: '\\$\\{' }];
    },
  });
  return `${JSON.stringify({ ...schema, title: 'Sluice topology' }, null, 2)}\n`;
}
