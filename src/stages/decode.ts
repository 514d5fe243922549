import { compileAvroDecoder } from '../codecs/avro-decoder.ts';
import { compileJsonDecoder } from '../codecs/json-decoder.ts';
import type { RowDecoder, ValueDecoder } from '../codecs/types.ts';
import { CONFLUENT_PREFIX_BYTES, readSchemaId } from '../codecs/wire.ts';
import { type Column, longColumn, numberColumn, stringColumn, vectorColumn } from '../kernel/columns.ts';
import { classify } from '../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import type { Plan } from '../plan/plan.ts';
import type { SchemaSource } from '../ports/schemas.ts';
import { persist } from './outage.ts';
import type { Stage, StageDeps } from './types.ts';

const DECODE_FAILED = reasonCode('decode-failed');
const SCHEMA_UNKNOWN = reasonCode('schema-unknown');
const TOMBSTONE = reasonCode('tombstone');
const MAX_DECODERS = 1_000;

/**
 * decode: bytes → the columns that the plan wants, and nothing else.
 *
 * A value that is not one of its schema dead-letters as `decode-failed`, a schema id that nobody knows as `schema-unknown`,
 * a tombstone by the topology's choice. A registry that is down holds the frame. Decoders are compiled once a writer schema.
 */
export function createDecode(deps: StageDeps & { readonly schemas: SchemaSource }, plan: Plan): Stage {
  const { value, onTombstone } = plan.topology.source;
  const { wants } = plan;
  const decoders = new Map<number, ValueDecoder | Refusal>();
  const plain = value.kind === 'json' || value.wire === 'plain' ? plainDecoder() : undefined;

  function plainDecoder(): ValueDecoder {
    return value.kind === 'json'
      ? compileJsonDecoder({ schema: value.schema, wants })
      : compileAvroDecoder({ writer: value.schema, reader: value.schema, wants });
  }

  function columnsFor(frame: Frame): Column[] {
    return wants.map((want): Column => {
      if (want.kind === 'number') return numberColumn(frame.count);
      if (want.kind === 'long') return longColumn(frame.count);
      if (want.kind === 'string') return stringColumn(frame.count, frame.arena);
      return vectorColumn(frame.count, want.width);
    });
  }

  function settleTombstones(frame: Frame): void {
    const fate = onTombstone === 'drop' ? DROPPED : DEAD_LETTERED;
    for (let i = 0; i < frame.count; i++) if (frame.valueStart[i] < 0) decide(frame, i, fate, TOMBSTONE);
  }

  function decodePlain(frame: Frame, decoder: ValueDecoder): void {
    const { valueStart, valueEnd, fate } = frame;
    const row = decoder.bind(frame.arena, frame.columns);
    for (let i = 0; i < frame.count; i++) {
      if (fate[i] === OPEN && !row(valueStart[i], valueEnd[i], i)) decide(frame, i, DEAD_LETTERED, DECODE_FAILED);
    }
  }

  /** Fills the schema id column and returns the ids that no decoder is known for. */
  function readIds(frame: Frame): number[] {
    const { schemaId, valueStart, valueEnd, fate } = frame;
    const unknown: number[] = [];
    let last = -1;
    for (let i = 0; i < frame.count; i++) {
      if (fate[i] !== OPEN) continue;
      const id = readSchemaId(frame.arena, valueStart[i], valueEnd[i]);
      schemaId[i] = id;
      if (id === last) continue;
      last = id;
      if (id < 0) continue;
      const known = decoders.get(id);
      const stale = known !== undefined && 'reason' in known && deps.clock.monotonicMs() >= known.untilMs;
      if ((known === undefined || stale) && !unknown.includes(id)) unknown.push(id);
    }
    return unknown;
  }

  async function learn(id: number): Promise<void> {
    let found: ValueDecoder | Refusal;
    try {
      const writer = await persist(deps, { what: 'schema registry', kind: 'registry' }, () =>
        deps.schemas.writerSchema(id),
      );
      found = compileAvroDecoder({ writer, reader: value.schema, wants });
      deps.telemetry.event('schema-resolved', { id });
    } catch (thrown) {
      const error = classify(thrown);
      if (error.disposition !== 'dead-letter') throw error;
      const reason = error.code === 'schema-unknown' ? SCHEMA_UNKNOWN : DECODE_FAILED;
      found = { reason, untilMs: deps.clock.monotonicMs() + REFUSED_FOR_MS };
      deps.telemetry.event('schema-refused', { id, reason: error.message });
    }
    if (decoders.size >= MAX_DECODERS) decoders.delete(decoders.keys().next().value as number);
    decoders.set(id, found);
  }

  /** What a schema id comes to for one frame: a decoder bound to its columns, or the reason why its records dead-letter. */
  function bindId(frame: Frame, id: number): RowDecoder | number {
    if (id < 0) return DECODE_FAILED;
    const known = decoders.get(id);
    if (known === undefined) return SCHEMA_UNKNOWN;
    return 'reason' in known ? known.reason : known.bind(frame.arena, frame.columns);
  }

  function decodeConfluent(frame: Frame): void {
    const { schemaId, valueStart, valueEnd, fate } = frame;
    // Bound once a frame and id: producers of two versions may alternate from record to record.
    const bound = new Map<number, RowDecoder | number>();
    let lastId = Number.NaN;
    let row: RowDecoder | number = DECODE_FAILED;
    for (let i = 0; i < frame.count; i++) {
      if (fate[i] !== OPEN) continue;
      const id = schemaId[i];
      if (id !== lastId) {
        lastId = id;
        row = bound.get(id) ?? bindId(frame, id);
        bound.set(id, row);
      }
      if (typeof row === 'number') decide(frame, i, DEAD_LETTERED, row);
      else if (!row(valueStart[i] + CONFLUENT_PREFIX_BYTES, valueEnd[i], i)) {
        decide(frame, i, DEAD_LETTERED, DECODE_FAILED);
      }
    }
  }

  return (frame) => {
    settleTombstones(frame);
    frame.columns = columnsFor(frame);
    if (plain !== undefined) return void decodePlain(frame, plain);
    const unknown = readIds(frame);
    if (unknown.length === 0) return void decodeConfluent(frame);
    return Promise.all(unknown.map(learn)).then(() => decodeConfluent(frame));
  };
}

/** A schema id whose records dead-letter, until it is asked for again. */
interface Refusal {
  readonly reason: number;
  readonly untilMs: number;
}

const REFUSED_FOR_MS = 60_000;
