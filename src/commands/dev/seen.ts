import { decodeHeaders } from '../../kernel/headers.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Sink } from '../../ports/sink.ts';
import type { TransactionalSink } from '../../ports/transactions.ts';
import { inLine, isText } from '../display/safe-text.ts';
import { tellDelivered } from '../embedded/delivered.ts';
import { createValueReader, valueLine } from '../embedded/samples.ts';
import type { DevReport } from './report.ts';

const MAX_VALUE_TEXT = 160;

/**
 * A sink that shows the first `shown` predictions, and as many dead letters, once the broker has them. A dead letter does not say exactly
 * what was wrong, so the first is followed by the command that does.
 */
export function createSeen(
  inner: Sink | TransactionalSink,
  { file, output, deadLetter }: Topology,
  shown: number,
  report: DevReport,
): Sink | TransactionalSink {
  const read = createValueReader(output);
  let explained = false;

  function prediction({ headers, key, value }: Row): void {
    const fields = value === null ? undefined : read(value);
    const source = headers('sluice-source');
    report.tell(
      { event: 'prediction', source, key: key?.toString('utf8') ?? null, value: fields },
      `prediction   ${source}  ${inLine(valueLine(fields))}`,
      true,
    );
  }

  function letter({ headers, value }: Row): void {
    const said = (name: string): string => headers(`__dlq.errors.${name}`);
    const source = `${said('topic')}/${said('partition')}/${said('offset')}`;
    const text =
      value === null ? null : isText(value) ? value.toString('utf8', 0, MAX_VALUE_TEXT) : `(${value.length} bytes)`;
    report.tell(
      { event: 'dead-letter', source, reason: said('reason'), stage: said('stage'), value: text },
      `dead letter  ${source}  ${said('reason')} (in ${said('stage')})  ${text === null ? 'no value' : inLine(text)}`,
      true,
    );
    if (explained) return;
    explained = true;
    const command = `sluice explain ${file} ${source}`;
    report.tell(
      { event: 'note', text: command },
      `why          ${command}   (with the exports above, while this runs)`,
    );
  }

  const topics = [
    { topic: output.topic, tell: prediction, seen: 0, rest: `sluice tail ${output.topic} --from earliest` },
    { topic: deadLetter.topic, tell: letter, seen: 0, rest: `sluice dlq list ${file}` },
  ];

  return tellDelivered(inner, (topic, rows) => {
    for (const each of topics) {
      if (each.topic !== topic || each.seen > shown) continue;
      for (let i = 0; i < rows.count && each.seen <= shown; i++) {
        if (each.seen++ < shown) each.tell(rowOf(rows, i));
        else report.tell({ event: 'note', text: each.rest }, `…            and more of them: ${each.rest}`);
      }
    }
  });
}

interface Row {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Text of a header; empty if there is none. */
  headers(name: string): string;
}

function rowOf(rows: RecordSlab, i: number): Row {
  const part = (start: Int32Array, end: Int32Array): Buffer | null =>
    start[i] < 0 ? null : rows.arena.subarray(start[i], end[i]);
  const block = part(rows.headersStart, rows.headersEnd);
  const headers = block === null ? [] : decodeHeaders(block);
  return {
    key: part(rows.keyStart, rows.keyEnd),
    value: part(rows.valueStart, rows.valueEnd),
    headers: (name) => headers.find((header) => header.name === name)?.value?.toString('utf8') ?? '',
  };
}
