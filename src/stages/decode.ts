import { compileAvroDecoder } from '../codecs/avro/decoder.ts';
import { endVectors, entryBytes, float32Wants, ReusedColumns } from '../codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../codecs/json/decoder.ts';
import type { RowsDecoder, ValueDecoder } from '../codecs/types.ts';
import { CONFLUENT_PREFIX_BYTES, readSchemaId } from '../codecs/wire.ts';
import { classify } from '../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import type { Plan } from '../plan/plan.ts';
import type { SchemaSource } from '../ports/schemas.ts';
import { persist } from './outage.ts';
import { Pool } from './pool.ts';
import type { Stage, StageDeps } from './types.ts';

const DECODE_FAILED = reasonCode('decode-failed');
const SCHEMA_UNKNOWN = reasonCode('schema-unknown');
const TOMBSTONE = reasonCode('tombstone');
const MAX_KNOWN_IDS = 1_000;

/**
 * decode: bytes → the columns that the plan wants, and nothing else.
 *
 * A value that does not fit its schema dead-letters as `decode-failed`, an unknown schema id as `schema-unknown`, a tombstone if
 * the topology says so. A registry that is down holds the frame. A decoder is compiled once per writer schema; beyond a thousand,
 * the least recently used are forgotten. Frames that need the same schema at the same time share one request.
 */
export function createDecode(deps: StageDeps & { readonly schemas: SchemaSource }, plan: Plan): Stage {
  const { value, onTombstone } = plan.topology.source;
  const { wants } = plan;
  /** By schema id, the least recently used first. */
  const known = new Map<number, Known>();
  const flights = new Map<number, Promise<Known>>();
  const plain = value.kind === 'json' || value.wire === 'plain' ? plainDecoder() : undefined;

  function plainDecoder(): ValueDecoder {
    return value.kind === 'json'
      ? compileJsonDecoder({ schema: value.schema, wants })
      : compileAvroDecoder({ writer: value.writer ?? value.schema, reader: value.schema, wants });
  }

  const float32 = float32Wants(value.schema, wants);
  const columns = new Pool((records) => new ReusedColumns(wants, records, float32), entryBytes(wants, float32));

  function settleTombstones(frame: Frame): void {
    const fate = onTombstone === 'drop' ? DROPPED : DEAD_LETTERED;
    for (let i = 0; i < frame.count; i++) if (frame.valueStart[i] < 0) decide(frame, i, fate, TOMBSTONE);
  }

  function decodePlain(frame: Frame, decoder: ValueDecoder): void {
    decodeRun(frame, decoder.bindRows(frame.arena, frame.columns), 0, 0, frame.count);
    endVectors(frame.columns);
  }

  /** Decodes records [from, to), skipping the first `skip` bytes of each value. */
  function decodeRun(frame: Frame, rows: RowsDecoder, skip: number, from: number, to: number): void {
    const { valueStart, valueEnd, fate } = frame;
    let at = rows(valueStart, valueEnd, skip, fate, from, to);
    while (at < to) {
      decide(frame, at, DEAD_LETTERED, DECODE_FAILED);
      at = rows(valueStart, valueEnd, skip, fate, at + 1, to);
    }
  }

  /** Fills the schema id column; returns what is known of each id of the frame, undefined for one that must be requested. */
  function readIds(frame: Frame): Map<number, Known | undefined> {
    const { schemaId, valueStart, valueEnd, fate } = frame;
    const entries = new Map<number, Known | undefined>();
    let last = -1;
    for (let i = 0; i < frame.count; i++) {
      if (fate[i] !== OPEN) continue;
      const id = readSchemaId(frame.arena, valueStart[i], valueEnd[i]);
      schemaId[i] = id;
      if (id === last) continue;
      last = id;
      if (id >= 0 && !entries.has(id)) entries.set(id, recall(id));
    }
    return entries;
  }

  function recall(id: number): Known | undefined {
    const found = known.get(id);
    if (found === undefined || ('reason' in found && deps.clock.monotonicMs() >= found.untilMs)) return undefined;
    known.delete(id);
    known.set(id, found);
    return found;
  }

  function learn(id: number): Promise<Known> {
    let flight = flights.get(id);
    if (flight === undefined) {
      flight = ask(id).finally(() => flights.delete(id));
      flights.set(id, flight);
    }
    return flight;
  }

  async function ask(id: number): Promise<Known> {
    let found: Known;
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
      found = { reason, why: error.message, untilMs: deps.clock.monotonicMs() + REFUSED_FOR_MS };
      deps.telemetry.event('schema-refused', { id, reason: error.message });
    }
    known.delete(id);
    if (known.size >= MAX_KNOWN_IDS) known.delete(known.keys().next().value as number);
    known.set(id, found);
    return found;
  }

  /**
   * Decodes runs of one schema id, one after the other. `entries` belongs to the frame: a flood of ids may evict from `known`
   * what a frame has waited for.
   */
  function decodeConfluent(frame: Frame, entries: ReadonlyMap<number, Known | undefined>): void {
    const { schemaId, fate, count } = frame;
    for (let from = 0, to = 0; from < count; from = to) {
      const id = schemaId[from];
      // Records that already have a fate say nothing about an id, and belong to the run around them.
      for (to = from + 1; to < count && (schemaId[to] === id || fate[to] !== OPEN); ) to++;
      if (fate[from] !== OPEN) {
        to = from + 1;
        continue;
      }
      const entry = id < 0 ? undefined : (entries.get(id) as Known);
      if (entry === undefined) refuse(frame, DECODE_FAILED, from, to);
      else if ('reason' in entry) {
        frame.refusals ??= new Map();
        frame.refusals.set(id, entry.why);
        refuse(frame, entry.reason, from, to);
      } else decodeRun(frame, entry.bindRows(frame.arena, frame.columns), CONFLUENT_PREFIX_BYTES, from, to);
    }
    endVectors(frame.columns);
  }

  function refuse(frame: Frame, reason: number, from: number, to: number): void {
    for (let i = from; i < to; i++) decide(frame, i, DEAD_LETTERED, reason);
  }

  return (frame) => {
    settleTombstones(frame);
    frame.columns = columns.lend(frame, frame.count).of(frame.count, frame.arena);
    if (plain !== undefined) return void decodePlain(frame, plain);
    const entries = readIds(frame);
    const waits: Promise<unknown>[] = [];
    for (const [id, entry] of entries) {
      if (entry === undefined) waits.push(learn(id).then((found) => entries.set(id, found)));
    }
    if (waits.length === 0) return void decodeConfluent(frame, entries);
    return Promise.all(waits).then(() => decodeConfluent(frame, entries));
  };
}

type Known = ValueDecoder | Refusal;

/** A schema id whose records dead-letter, until it is requested again. */
interface Refusal {
  readonly reason: number;
  /** About the schema, not the record: it contains no payload. */
  readonly why: string;
  readonly untilMs: number;
}

const REFUSED_FOR_MS = 60_000;
