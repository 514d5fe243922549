import { SluiceError } from '../../kernel/errors.ts';
import type { SchemaSource } from '../../ports/schemas.ts';

export interface FileSchemasOptions {
  /** Schema ids and the schemas (parsed JSON) that they mean; from the topology's files. */
  readonly ids: readonly { readonly id: number; readonly schema: unknown }[];
}

/** Schemas for topologies without a registry: the ids that the topology states, and no others. */
export function createFileSchemas(options: FileSchemasOptions): SchemaSource {
  return {
    async writerSchema(id) {
      const known = options.ids.find((each) => each.id === id);
      if (known !== undefined) return known.schema;
      const ids = options.ids.map((each) => each.id).join(', ') || 'none';
      throw new SluiceError(
        'schema-unknown',
        `schema id ${id} is not among the ids of the topology (${ids}); add it to value.ids or name a registry`,
      );
    },
    async idFor(subject, schema) {
      const known = options.ids.find((each) => each.schema === schema);
      if (known !== undefined) return known.id;
      throw new SluiceError('topology-invalid', `there is no registry and no id for ${subject}: give output.value.ids`);
    },
  };
}
