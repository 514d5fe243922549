import { compileAvroDecoder } from '../../codecs/avro-decoder.ts';
import { fieldsOf } from '../../codecs/avro-fields.ts';
import { compileJsonDecoder } from '../../codecs/json-decoder.ts';
import type { ColumnWant, ValueDecoder } from '../../codecs/types.ts';
import { columnsOf } from '../../codecs/want-columns.ts';
import { CONFLUENT_PREFIX_BYTES } from '../../codecs/wire.ts';
import type { Column } from '../../kernel/columns.ts';
import type { OutputSettings } from '../../plan/topology.ts';
import type { Sink } from '../../ports/sink.ts';

const KEPT = 5;

/** A value of the output → its fields, by the topology's own schema; undefined for bytes that are no such value. */
export type ReadValue = (bytes: Buffer) => Readonly<Record<string, string | number | bigint | null>> | undefined;

/** Reads what the pipeline writes. A missing number is null, a vector is not shown: it is an ellipsis. */
export function createValueReader({ value }: OutputSettings): ReadValue {
  const wants = fieldsOf(value.schema)
    .filter(({ kind }) => kind !== 'other')
    .map(({ name, kind, width }) => ({ field: name, kind, width }) as ColumnWant);
  const decoder: ValueDecoder =
    value.kind === 'json'
      ? compileJsonDecoder({ schema: value.schema, wants })
      : compileAvroDecoder({ writer: value.schema, reader: value.schema, wants });
  const prefixBytes = value.kind === 'avro' && value.wire === 'confluent' ? CONFLUENT_PREFIX_BYTES : 0;
  return (bytes) => {
    const columns = columnsOf(wants, 1, bytes);
    if (!decoder.bind(bytes, columns)(prefixBytes, bytes.length, 0)) return undefined;
    return Object.fromEntries(wants.map(({ field }, slot) => [field, entryOf(columns[slot])]));
  };
}

/** A prediction in a line: `id 5  probability 0.3141`. */
export function valueLine(value: ReturnType<ReadValue>): string {
  return Object.entries(value ?? {})
    .map(([field, entry]) => `${field} ${typeof entry === 'number' ? Number(entry.toPrecision(4)) : (entry ?? '-')}`)
    .join('  ');
}

/** A sink that remembers the latest predictions on their way through, for people to look at; decoded only when they look. */
export function createSamples(
  inner: Sink,
  output: OutputSettings,
): { readonly sink: Sink; readonly read: () => string[] } {
  const read = createValueReader(output);
  const latest: Buffer[] = [];

  return {
    sink: {
      open: (topics) => inner.open(topics),
      partitionCount: (name) => inner.partitionCount(name),
      close: () => inner.close(),
      async send(name, partition, rows) {
        await inner.send(name, partition, rows);
        if (name !== output.topic || rows.count === 0) return;
        const last = rows.count - 1;
        latest.push(Buffer.from(rows.arena.subarray(rows.valueStart[last], rows.valueEnd[last])));
        if (latest.length > KEPT) latest.shift();
      },
    },
    read: () => latest.map((bytes) => valueLine(read(bytes))),
  };
}

function entryOf(column: Column): string | number | bigint | null {
  switch (column.kind) {
    case 'number':
      return Number.isNaN(column.values[0]) ? null : column.values[0];
    case 'long':
      return column.present[0] === 0 ? null : column.values[0];
    case 'string':
      return column.start[0] < 0 ? null : column.bytes.toString('utf8', column.start[0], column.end[0]);
    default:
      return '…';
  }
}
