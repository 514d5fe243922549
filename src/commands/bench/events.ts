import { readLines } from '../../adapters/files/lines.ts';
import { compileAvroEncoder } from '../../codecs/avro/encoder.ts';
import { type AvroType, parseAvroRecord } from '../../codecs/avro/schema.ts';
import { columnsOf, wholeWants } from '../../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../codecs/json/decoder.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { ValueFormat } from '../../plan/topology.ts';

const MAX_LINE_BYTES = 1024 * 1024;

/** The first events of a JSON Lines file, `.gz` too; empty lines are skipped. */
export async function readEvents(file: string, limit: number): Promise<readonly Buffer[]> {
  const lines: Buffer[] = [];
  for await (const line of readLines(file, { onProgress: () => undefined, maxLineBytes: MAX_LINE_BYTES })) {
    if (typeof line === 'number') throw new SluiceError('file-invalid', `${file} has a line of ${line} bytes`);
    if (line.length > 0) lines.push(line);
    if (lines.length === limit) break;
  }
  if (lines.length === 0) throw new SluiceError('file-invalid', `${file} has no events`);
  return lines;
}

/** Generates random events that fit a schema, as JSON lines; deterministic for a given `random`. */
export function synthesize(schema: unknown, count: number, random: () => number): readonly Buffer[] {
  const { fields } = parseAvroRecord(schema);
  return Array.from({ length: count }, () =>
    Buffer.from(JSON.stringify(Object.fromEntries(fields.map(({ name, type }) => [name, madeUp(type, random)])))),
  );
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LIST_VALUES = 4;

function madeUp(type: AvroType, random: () => number): unknown {
  const whole = (below: number): number => Math.floor(random() * below);
  switch (type.type) {
    case 'null':
      return null;
    case 'boolean':
      return random() < 0.5;
    case 'int':
      return whole(10_000);
    case 'long':
      return whole(1_000_000_000);
    case 'float':
    case 'double':
      return Number(random().toFixed(6));
    case 'string':
      return Array.from({ length: 3 }, () => LETTERS[whole(LETTERS.length)]).join('');
    case 'enum':
      return type.symbols[whole(type.symbols.length)];
    case 'array':
      return Array.from({ length: LIST_VALUES }, () => madeUp(type.items, random));
    case 'union':
      return madeUp(type.branches.find((branch) => branch.type !== 'null') ?? type.branches[0], random);
    default:
      throw new SluiceError(
        'usage-invalid',
        `no value of type ${type.type} can be made up: give --input FILE of events`,
      );
  }
}

/**
 * Encodes JSON lines as values in the format of the topology's source, all in one buffer. JSON is passed through unchecked; for
 * Avro each line must fit the schema, and is encoded with the pipeline's own codecs.
 */
export function encodeEvents(lines: readonly Buffer[], value: ValueFormat, prefix: Buffer): readonly Buffer[] {
  if (value.kind === 'json') return lines;
  const wants = wholeWants(value.schema);
  const fields = wants.map(({ field }, slot) => ({ name: field, source: { from: 'event', slot } as const }));
  const encoder = compileAvroEncoder({ schema: value.schema, fields, wants, predictions: [], prefix });
  const arena = Buffer.concat(lines);
  const columns = columnsOf(wants, lines.length, arena);
  const decode = compileJsonDecoder({ schema: value.schema, wants }).bind(arena, columns);
  const refuse = (i: number): never => {
    const shown = lines[i].toString('utf8', 0, 200);
    throw new SluiceError('file-invalid', `event ${i + 1}, ${shown}, does not fit ${value.schemaFile}`);
  };
  let at = 0;
  lines.forEach((line, i) => {
    if (!decode(at, at + line.length, i)) refuse(i);
    at += line.length;
  });
  const encode = encoder.bind(columns, []);
  const slab = new RecordSlab(lines.length, arena.length);
  const ends = lines.map((_, i) => (encode(i, slab) ? slab.used : refuse(i)));
  return ends.map((end, i) => slab.arena.subarray(i === 0 ? 0 : ends[i - 1], end));
}
