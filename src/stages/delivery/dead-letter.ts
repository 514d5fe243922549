import { REASONS, STAGE_OF_REASON } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import { decodeHeaders, encodeHeaders, type Header } from '../../kernel/headers.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';
import { replayOf } from '../../kernel/replay.ts';

const PREFIX = '__dlq.';
/** Where a header of the input that pretends to be ours is kept. */
const FOREIGN_PREFIX = 'original.';
const MAX_DETAIL_CHARS = 240;

/**
 * What of a record its dead letter carries: all of it; all, dated now, for a topic that refuses the timestamp; or only where
 * it is to be found, for a topic that takes neither.
 */
export type DeadLetterForm = 'whole' | 'dated-now' | 'reference';

export interface DeadLetterContext {
  /** Names this process, so that its logs can be found. */
  readonly instance: string;
  readonly nowMs: number;
  readonly form: DeadLetterForm;
}

/**
 * Appends record `i` as a dead letter: original key, value, headers and timestamp untouched, plus where it came from and why.
 * Headers of the input that begin with `__dlq.` are not trusted: they are kept under `original.`. No exception text, which
 * might carry a payload; only where its schema is refused, `detail` says why, which is about the schema. A record that was replayed says which attempt this is, and of what. A record that was too large to keep goes by reference: no body, its size in `__dlq.errors.bytes`.
 */
export function appendDeadLetter(frame: Frame, i: number, context: DeadLetterContext, slab: RecordSlab): void {
  const { origin, arena } = frame;
  const reason = REASONS[frame.reason[i]];
  const byReference = reason === 'too-large' || reason === 'batch-unreadable' || context.form === 'reference';
  const original = originalHeaders(frame, i);
  const replay = replayOf(original);
  const errors: [string, string][] = [
    ['topic', origin.topic],
    ['partition', String(origin.partition)],
    ['offset', String(frame.offsets[i])],
    ['timestamp', String(frame.timestamps[i])],
    ['stage', frame.failedIn?.get(i) ?? STAGE_OF_REASON[reason]],
    ['reason', reason],
    ['attempts', String(replay?.attempt ?? 1)],
    ['first-seen', replay?.firstSeen ?? new Date(frame.receivedAtMs).toISOString()],
    ['schema-id', frame.schemaId[i] < 0 ? '' : String(frame.schemaId[i])],
    ['model', frame.model],
    ['instance', context.instance],
  ];
  if (replay !== undefined) errors.push(['first-attempt', replay.of]);
  const why = frame.refusals?.get(frame.schemaId[i]);
  if (why !== undefined) errors.push(['detail', why.slice(0, MAX_DETAIL_CHARS)]);
  if (byReference) errors.push(['bytes', String(frame.valueBytes[i])]);
  const headers: Header[] = [
    ...(context.form === 'reference' ? [] : original),
    ...errors.map(([name, value]) => ({ name: `${PREFIX}errors.${name}`, value: Buffer.from(value) })),
  ];
  const key = range(arena, frame.keyStart[i], frame.keyEnd[i]);
  slab.append(
    context.form === 'whole' ? frame.timestamps[i] : context.nowMs,
    // A compacted topic takes no record without a key: where a record came from is one.
    context.form === 'reference' ? Buffer.from(`${origin.topic}/${origin.partition}/${frame.offsets[i]}`) : key,
    context.form === 'reference' ? null : range(arena, frame.valueStart[i], frame.valueEnd[i]),
    encodeHeaders(headers),
  );
}

function originalHeaders(frame: Frame, i: number): Header[] {
  const block = range(frame.arena, frame.headersStart[i], frame.headersEnd[i]);
  if (block === null) return [];
  return decodeHeaders(block).map((header) =>
    header.name.startsWith(PREFIX) ? { name: FOREIGN_PREFIX + header.name, value: header.value } : header,
  );
}

function range(arena: Buffer, start: number, end: number): Buffer | null {
  return start < 0 ? null : arena.subarray(start, end);
}
