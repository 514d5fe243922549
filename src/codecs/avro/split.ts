import { RUNTIME } from './runtime.ts';
import { parseAvroRecord } from './schema.ts';
import { SkipWriter } from './skip.ts';

/** The end of the value that begins at `at`, or -1 if none ends by `end`. */
export type ValueEnd = (bytes: Buffer, at: number, end: number) => number;

/**
 * Finds where adjacent values end: an Avro container file has counts of them, but no lengths. Keeps the promises of
 * compileAvroDecoder; throws `schema-incompatible` if the schema is not a record schema.
 */
export function compileAvroSplitter(schema: unknown): ValueEnd {
  const skips = new SkipWriter();
  const record = parseAvroRecord(schema, 'schema-incompatible');
  const body = skips.skip(record, 'return -1;', '0');
  return new Function(
    'R',
    `'use strict';
const { ${Object.keys(RUNTIME).join(', ')} } = R;
${skips.functions.join('')}
return function valueEnd(A, at, end) {
let n = 0;
${body}return at;
};`,
  )(RUNTIME) as ValueEnd;
}
