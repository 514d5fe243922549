import { writeFileSync } from 'node:fs';
import { casesJsonSchema } from './json-schema.ts';

/** Writes topologies/cases.schema.json; run from the repository root. */
writeFileSync('topologies/cases.schema.json', casesJsonSchema());
