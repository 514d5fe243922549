import { RUNTIME } from './runtime.ts';
import { parseAvroRecord } from './schema.ts';
import { SkipWriter } from './skip.ts';

/** The end of the value that begins at `at`, or -1 where none ends before `end`. */
export type ValueEnd = (bytes: Buffer, at: number, end: number) => number;

/**
 * Where values that lie one behind the other end: a container of Avro has counts of them, and no lengths. Keeps the promises
 * of compileAvroDecoder; throws `schema-incompatible` for what is no schema of a record.
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
