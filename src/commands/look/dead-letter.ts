import type { Header } from '../../kernel/headers.ts';
import type { LogRecord } from '../../ports/topic-log.ts';

/** A record of a dead-letter topic, with what its envelope says (stages/delivery/dead-letter.ts writes it). */
export interface Letter {
  /** Where it lies in the dead-letter topic. */
  readonly partition: number;
  readonly offset: number;
  /** topic/partition/offset of the record that failed. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly reason: string;
  readonly stage: string;
  readonly attempts: number;
  /** Of the record that failed: its dead letter may be dated otherwise, where the topic refused it. */
  readonly timestampMs: number;
  /** ISO 8601; empty where the envelope has none. */
  readonly firstSeen: string;
  /** topic/partition/offset of the first attempt; the record itself unless it was replayed. */
  readonly firstAttempt: string;
  readonly schemaId: string;
  /** Why its schema is refused; empty for other reasons. */
  readonly detail: string;
  readonly model: string;
  readonly instance: string;
  /** Without a body: it was too large, or its topic refused it; its size where it is known. */
  readonly withoutBody: boolean;
  readonly bytes: string;
  readonly record: LogRecord;
}

const PREFIX = '__dlq.errors.';
const WHOLE = /^\d{1,16}$/;
const TIMESTAMP = /^-?\d{1,16}$/;

/** Undefined for a record that is no dead letter of Sluice: another system may write into the same topic. */
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

/** The headers that the record came with: without our envelope, and with its own that were kept aside for it. */
export function originalHeaders({ record }: Letter): Header[] {
  return record.headers
    .filter(({ name }) => !name.startsWith(PREFIX))
    .map(({ name, value }) =>
      name.startsWith(FOREIGN) ? { name: name.slice('original.'.length), value } : { name, value },
    );
}
