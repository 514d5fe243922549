import { linesOf } from '../../adapters/files/lines.ts';
import { compileAvroEncoder } from '../../codecs/avro-encoder.ts';
import { fieldsOf } from '../../codecs/avro-fields.ts';
import { compileJsonDecoder } from '../../codecs/json-decoder.ts';
import { compileJsonEncoder } from '../../codecs/json-encoder.ts';
import type { ColumnWant, OutputField, ValueEncoder } from '../../codecs/types.ts';
import { columnsOf } from '../../codecs/want-columns.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { type Clock, pause } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { partitionOfKey } from '../../kernel/murmur2.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import type { SourceSettings } from '../../plan/topology.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Sink } from '../../ports/sink.ts';

export interface FeederOptions {
  readonly source: SourceSettings;
  /** JSON Lines of events, `.gz` too. */
  readonly file: string;
  readonly records: number;
  /** 0: as fast as the broker takes them. */
  readonly perSecond: number;
}

export interface Feeder {
  /** Resolves when all records are produced, or `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  readonly sent: number;
}

const TICK_MS = 20;
const MAX_CHUNK = 1_000;
/** Added to the ids of each further pass over the file, so that every event is its own. */
const PASS_STEP = 10_000_000n;

/** An upstream producer for the demo: a file of events → the topology's topic, in its own format, paced, keyed by `id`. */
export async function createFeeder(
  deps: { readonly clock: Clock; readonly sink: Sink; readonly schemas: SchemaSource },
  options: FeederOptions,
): Promise<Feeder> {
  const { clock, sink } = deps;
  const topic = options.source.topics[0];
  const transcode = await createTranscoder(deps.schemas, options.source, topic);
  const lines: Buffer[] = [];
  for await (const line of linesOf(options.file, () => undefined)) {
    if (line.length > 0) lines.push(line);
  }
  if (lines.length === 0) throw new SluiceError('file-invalid', `${options.file} has no events to stream`);
  let sent = 0;

  async function send(count: number): Promise<void> {
    const slabs = new Map<number, RecordSlab>();
    const nowMs = clock.wallMs();
    const first = sent % lines.length;
    const chunk = lines.slice(first, first + Math.min(count, lines.length - first));
    const pass = BigInt(Math.floor(sent / lines.length));
    transcode(chunk, pass * PASS_STEP, (key, append) => {
      const partition = partitionOfKey(key, 0, key.length, sink.partitionCount(topic));
      let slab = slabs.get(partition);
      if (slab === undefined) {
        slab = new RecordSlab(chunk.length, 64 * chunk.length);
        slabs.set(partition, slab);
      }
      append(slab, nowMs);
    });
    await Promise.all([...slabs].map(([partition, slab]) => sink.send(topic, partition, slab)));
    sent += chunk.length;
  }

  return {
    get sent() {
      return sent;
    },
    async run(signal) {
      const startedMs = clock.monotonicMs();
      while (sent < options.records && !signal.aborted) {
        const due =
          options.perSecond === 0
            ? MAX_CHUNK
            : Math.floor(((clock.monotonicMs() - startedMs + TICK_MS) * options.perSecond) / 1000) - sent;
        const count = Math.min(due, MAX_CHUNK, options.records - sent);
        if (count > 0) await send(count);
        if (options.perSecond > 0 && due <= MAX_CHUNK) await pause(clock, TICK_MS, signal);
      }
    },
  };
}

type Transcode = (
  lines: readonly Buffer[],
  idShift: bigint,
  each: (key: Buffer, append: (slab: RecordSlab, timestampMs: number) => void) => void,
) => void;

/** JSON lines → keys and values in the topic's format, with the codecs that the path uses too. */
async function createTranscoder(schemas: SchemaSource, source: SourceSettings, topic: string): Promise<Transcode> {
  const { value } = source;
  const wants = fieldsOf(value.schema).map(({ name, kind, width }): ColumnWant => {
    if (kind === 'other') throw new SluiceError('contract-broken', `the demo cannot make values of field "${name}"`);
    return { field: name, kind, width };
  });
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

  return (lines, idShift, each) => {
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
