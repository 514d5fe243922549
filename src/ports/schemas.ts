/** Schemas by id: a registry, or files. */
export interface SchemaSource {
  /**
   * The Avro schema (parsed JSON) that a writer used.
   * Rejects with `schema-unknown` (disposition dead-letter) when the id does not exist, `registry-unavailable` (retry) otherwise.
   */
  writerSchema(id: number): Promise<unknown>;
  /**
   * The id to write with for a topic's values; registers the schema where it is missing.
   * With `register: false` it only looks, and answers -1 where the schema is missing.
   */
  idFor(subject: string, schema: unknown, options?: { readonly register: boolean }): Promise<number>;
}
