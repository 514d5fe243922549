import type { z } from 'zod';
import type { topologySchema } from './schema.ts';

/** A topology as a file of TypeScript has it: the keys of the YAML file, checked by the compiler too. */
export type TopologyDefinition = z.input<typeof topologySchema>;

/**
 * Names the type of a topology that is written in TypeScript, and gives it back:
 * `export const topology = defineTopology({ … })`. What it holds is judged when a command reads the file.
 */
export function defineTopology(topology: TopologyDefinition): TopologyDefinition {
  return topology;
}
