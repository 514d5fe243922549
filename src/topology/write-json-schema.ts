import { writeFileSync } from 'node:fs';
import { topologyJsonSchema } from './json-schema.ts';

/** Writes topologies/topology.schema.json; run from the repository root. */
writeFileSync('topologies/topology.schema.json', topologyJsonSchema());
