import { z } from 'zod';
import { casesSchema } from './schema.ts';

/** The JSON Schema of NAME.cases.yaml, for editors. */
export function casesJsonSchema(): string {
  const schema = z.toJSONSchema(casesSchema, { io: 'input', target: 'draft-07', unrepresentable: 'any' });
  return `${JSON.stringify({ ...schema, title: 'Sluice cases' }, null, 2)}\n`;
}
