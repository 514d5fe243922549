import { compileAvroDecoder } from '../../codecs/avro-decoder.ts';
import { fieldsOf } from '../../codecs/avro-fields.ts';
import { compileJsonDecoder } from '../../codecs/json-decoder.ts';
import type { ColumnWant, ValueDecoder } from '../../codecs/types.ts';
import { columnsOf } from '../../codecs/want-columns.ts';
import type { Column } from '../../kernel/columns.ts';
import type { OutputSettings } from '../../plan/topology.ts';
import type { Sink } from '../../ports/sink.ts';

const KEPT = 5;

/** A sink that remembers the latest predictions on their way through, for people to look at; decoded only when they look. */
export function createSamples(
  inner: Sink,
  output: OutputSettings,
): { readonly sink: Sink; readonly read: () => string[] } {
  const { value, topic } = output;
  const wants = fieldsOf(value.schema)
    .filter(({ kind }) => kind !== 'other')
    .map(({ name, kind, width }) => ({ field: name, kind, width }) as ColumnWant);
  const decoder: ValueDecoder =
    value.kind === 'json'
      ? compileJsonDecoder({ schema: value.schema, wants })
      : compileAvroDecoder({ writer: value.schema, reader: value.schema, wants });
  const prefixBytes = value.kind === 'avro' && value.wire === 'confluent' ? 5 : 0;
  const latest: Buffer[] = [];

  return {
    sink: {
      open: (topics) => inner.open(topics),
      partitionCount: (name) => inner.partitionCount(name),
      close: () => inner.close(),
      async send(name, partition, rows) {
        await inner.send(name, partition, rows);
        if (name !== topic || rows.count === 0) return;
        const last = rows.count - 1;
        latest.push(Buffer.from(rows.arena.subarray(rows.valueStart[last], rows.valueEnd[last])));
        if (latest.length > KEPT) latest.shift();
      },
    },
    read: () => latest.map((bytes) => describe(decoder, wants, bytes, prefixBytes)),
  };
}

function describe(decoder: ValueDecoder, wants: readonly ColumnWant[], bytes: Buffer, prefixBytes: number): string {
  const columns = columnsOf(wants, 1, bytes);
  if (!decoder.bind(bytes, columns)(prefixBytes, bytes.length, 0)) return '';
  return wants.map(({ field }, slot) => `${field} ${shown(columns[slot])}`).join('  ');
}

function shown(column: Column): string {
  if (column.kind === 'number') return String(Number(column.values[0].toPrecision(4)));
  if (column.kind === 'long') return String(column.values[0]);
  if (column.kind === 'string') return column.bytes.toString('utf8', Math.max(0, column.start[0]), column.end[0]);
  return '…';
}
