import { compileAvroEncoder } from '../../codecs/avro/encoder.ts';
import { columnsOf, wholeWants } from '../../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../codecs/json/decoder.ts';
import { compileJsonEncoder } from '../../codecs/json/encoder.ts';
import type { ColumnWant, OutputField, ValueEncoder } from '../../codecs/types.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { SourceSettings } from '../../plan/topology.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Transcode } from '../embedded/feeder.ts';

/** Added to the ids on each further pass over the file, so that every event is distinct. */
const PASS_STEP = 10_000_000n;

/** JSON lines → keys and values in the topic's format, with the pipeline's own codecs; keyed by `id`. */
export async function createTranscoder(
  schemas: SchemaSource,
  source: SourceSettings,
  topic: string,
): Promise<Transcode> {
  const { value } = source;
  // Only the id is changed; all other fields are transcoded as they are.
  const isId = ({ field, type }: ColumnWant): boolean => field === 'id' && type?.type === 'long';
  const wants = wholeWants(value.schema).map(
    (want): ColumnWant => (isId(want) ? { field: 'id', kind: 'long', width: 1 } : want),
  );
  const fields = wants.map(({ field }, slot): OutputField => ({ name: field, source: { from: 'event', slot } }));
  const shape = { schema: value.schema, fields, wants, predictions: [] };
  let encoder: ValueEncoder;
  if (value.kind === 'json') encoder = compileJsonEncoder(shape);
  else {
    const prefix =
      value.wire === 'plain' ? Buffer.alloc(0) : confluentPrefix(await schemas.idFor(`${topic}-value`, value.schema));
    encoder = compileAvroEncoder({ ...shape, prefix });
  }
  const decoder = compileJsonDecoder({ schema: value.schema, wants });
  const idSlot = wants.findIndex(({ field, kind }) => field === 'id' && kind === 'long');

  return (lines, pass, each) => {
    const idShift = BigInt(pass) * PASS_STEP;
    const arena = Buffer.concat(lines);
    const columns = columnsOf(wants, lines.length, arena);
    const decode = decoder.bind(arena, columns);
    let at = 0;
    lines.forEach((line, i) => {
      if (!decode(at, at + line.length, i)) {
        throw new SluiceError(
          'file-invalid',
          `event ${line.toString('utf8', 0, 200)} does not fit ${value.schemaFile}`,
        );
      }
      at += line.length;
    });
    const ids = columns[idSlot];
    if (ids?.kind === 'long' && idShift > 0n) for (let i = 0; i < lines.length; i++) ids.values[i] += idShift;
    const encode = encoder.bind(columns, []);
    lines.forEach((_, i) => {
      const key = Buffer.from(ids?.kind === 'long' ? String(ids.values[i]) : String(i));
      each(key, (slab, timestampMs) => {
        const row = slab.append(timestampMs, key, null, null);
        const start = slab.used;
        encode(i, slab);
        slab.valueStart[row] = start;
        slab.valueEnd[row] = slab.used;
      });
    });
  };
}
