/** Schemas by id: a registry, or files. */
export interface SchemaSource {
  /**
   * The Avro schema (parsed JSON) that a writer used.
   * Rejects with `schema-unknown` (disposition dead-letter) when the id does not exist, `registry-unavailable` (retry) otherwise.
   */
  writerSchema(id: number): Promise<unknown>;
  /**
   * The id to write a topic's values with; registers the schema if it is missing.
   * With `register: false` it only looks the schema up, and answers -1 if it is missing.
   */
  idFor(subject: string, schema: unknown, options?: { readonly register: boolean }): Promise<number>;
}
