import { createAvroReader } from '../../codecs/avro/value.ts';
import { CONFLUENT_PREFIX_BYTES } from '../../codecs/wire.ts';
import type { OutputSettings } from '../../plan/topology.ts';
import type { Sink } from '../../ports/sink.ts';
import type { TransactionalSink } from '../../ports/transactions.ts';
import { tellDelivered } from './delivered.ts';

const KEPT = 5;
/** Items of a list to show in a line. */
const MAX_ITEMS = 4;

/** Decodes an output value for people, as JSON or its Avro equivalent; undefined if it cannot be decoded. */
export type ReadValue = (bytes: Buffer) => unknown;

/** Decodes what the pipeline writes, with the topology's own schema. */
export function createValueReader({ value }: OutputSettings): ReadValue {
  if (value.kind === 'json') return (bytes) => JSON.parse(bytes.toString('utf8'));
  const read = createAvroReader(value.schema);
  const prefixBytes = value.wire === 'confluent' ? CONFLUENT_PREFIX_BYTES : 0;
  return (bytes) => read(bytes, prefixBytes);
}

/** A prediction in one line: `id 5  probability 0.3141`. */
export function valueLine(value: unknown): string {
  return Object.entries(value ?? {})
    .map(([field, entry]) => `${field} ${shown(entry)}`)
    .join('  ');
}

function shown(entry: unknown): string {
  if (entry === null) return '-';
  if (typeof entry === 'number') return String(Number.isInteger(entry) ? entry : Number(entry.toPrecision(4)));
  if (Array.isArray(entry))
    return `[${entry.slice(0, MAX_ITEMS).map(shown).join(' ')}${entry.length > MAX_ITEMS ? ' …' : ''}]`;
  return typeof entry === 'object' ? '{…}' : String(entry);
}

/** A sink that keeps the latest predictions for display; they are decoded only when displayed. */
export function createSamples(
  inner: Sink | TransactionalSink,
  output: OutputSettings,
): { readonly sink: Sink | TransactionalSink; readonly read: () => string[] } {
  const read = createValueReader(output);
  const latest: Buffer[] = [];

  return {
    sink: tellDelivered(inner, (name, rows) => {
      if (name !== output.topic || rows.count === 0) return;
      const last = rows.count - 1;
      latest.push(Buffer.from(rows.arena.subarray(rows.valueStart[last], rows.valueEnd[last])));
      if (latest.length > KEPT) latest.shift();
    }),
    read: () => latest.map((bytes) => valueLine(read(bytes))),
  };
}
