import type { z } from 'zod';
import type { topologySchema } from './schema.ts';

/** A topology in a TypeScript file: the keys of the YAML file, checked by the compiler too. */
export type TopologyDefinition = z.input<typeof topologySchema>;

/**
 * Gives a topology written in TypeScript its type, and returns it unchanged:
 * `export const topology = defineTopology({ … })`. Its content is checked when a command reads the file.
 */
export function defineTopology(topology: TopologyDefinition): TopologyDefinition {
  return topology;
}
