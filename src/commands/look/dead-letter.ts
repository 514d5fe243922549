import type { Header } from '../../kernel/headers.ts';
import type { LogRecord } from '../../ports/topic-log.ts';

/** A record of a dead-letter topic, and what its envelope says (written by stages/delivery/dead-letter.ts). */
export interface Letter {
  /** Its place in the dead-letter topic. */
  readonly partition: number;
  readonly offset: number;
  /** topic/partition/offset of the record that failed. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly reason: string;
  readonly stage: string;
  readonly attempts: number;
  /** Of the failed record; the dead letter's own timestamp differs if its topic refused this one. */
  readonly timestampMs: number;
  /** ISO 8601; empty if the envelope has none. */
  readonly firstSeen: string;
  /** topic/partition/offset of the first attempt; the record itself unless it was replayed. */
  readonly firstAttempt: string;
  readonly schemaId: string;
  /** Why the schema was refused; empty for other reasons. */
  readonly detail: string;
  readonly model: string;
  readonly instance: string;
  /** The body was dropped because it was too large or its topic refused it; `bytes` is its size, if known. */
  readonly withoutBody: boolean;
  readonly bytes: string;
  readonly record: LogRecord;
}

const PREFIX = '__dlq.errors.';
const WHOLE = /^\d{1,16}$/;
const TIMESTAMP = /^-?\d{1,16}$/;

/** Undefined if the record is not a dead letter of Sluice: another system may write into the same topic. */
export function letterOf(record: LogRecord): Letter | undefined {
  const said = new Map<string, string>();
  for (const { name, value } of record.headers) {
    if (name.startsWith(PREFIX)) said.set(name.slice(PREFIX.length), value?.toString('utf8') ?? '');
  }
  const text = (name: string): string => said.get(name) ?? '';
  if (text('topic') === '' || text('reason') === '' || !WHOLE.test(text('partition')) || !WHOLE.test(text('offset'))) {
    return undefined;
  }
  const source = { topic: text('topic'), partition: Number(text('partition')), offset: Number(text('offset')) };
  return {
    partition: record.partition,
    offset: record.offset,
    source,
    reason: text('reason'),
    stage: text('stage'),
    attempts: WHOLE.test(text('attempts')) ? Number(text('attempts')) : 1,
    timestampMs: TIMESTAMP.test(text('timestamp')) ? Number(text('timestamp')) : record.timestampMs,
    firstSeen: text('first-seen'),
    firstAttempt: text('first-attempt') || sourceText(source),
    schemaId: text('schema-id'),
    detail: text('detail'),
    model: text('model'),
    instance: text('instance'),
    withoutBody: said.has('bytes'),
    bytes: text('bytes'),
    record,
  };
}

export function sourceText({ topic, partition, offset }: Letter['source']): string {
  return `${topic}/${partition}/${offset}`;
}

const FOREIGN = 'original.__dlq.';

/** The record's own headers: without our envelope, and with those restored that the envelope had displaced. */
export function originalHeaders({ record }: Letter): Header[] {
  return record.headers
    .filter(({ name }) => !name.startsWith(PREFIX))
    .map(({ name, value }) =>
      name.startsWith(FOREIGN) ? { name: name.slice('original.'.length), value } : { name, value },
    );
}
