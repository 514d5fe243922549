import type { LogRecord } from '../../ports/topic-log.ts';
import { inLine, isText } from '../display/safe-text.ts';
import { letterOf, sourceText } from './dead-letter.ts';
import type { Paint } from './paint.ts';
import { type Decoded, excerpt } from './values.ts';

const MOST_CHARACTERS = 1_500;
const MOST_NUMBERS = 8;

/** One record in `--json` form. */
export function plainRecord(topic: string, record: LogRecord, key: Decoded, value: Decoded) {
  const { partition, offset, timestampMs, headers, unread } = record;
  const undecoded = unread === undefined ? value.why : unreadText(unread);
  return {
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: key.value ?? (record.key === null ? null : hex(record.key)),
    headers: headers.map(({ name, value: bytes }) => ({ name, value: bytes === null ? null : headerText(bytes) })),
    value: value.value ?? null,
    schemaId: value.schemaId ?? null,
    ...(undecoded !== undefined && { undecoded }),
    ...(value.value === undefined && record.value !== null && { valueBase64: record.value.toString('base64') }),
  };
}

/** One record in a line: `0:12  2026-…  key  value  headers`. */
export function recordLine(record: LogRecord, key: Decoded, value: Decoded, paint: Paint): string {
  const at = paint('blue', `${record.partition}:${record.offset}`);
  const parts = [at, paint('grey', timeText(record.timestampMs))];
  parts.push(paint('cyan', keyText(record.key, key)), bodyText(record, value, paint), headersText(record, paint));
  return parts.filter((part) => part !== '').join('  ');
}

function keyText(bytes: Buffer | null, { value }: Decoded): string {
  if (bytes === null) return '-';
  if (value === undefined) return excerpt(bytes);
  return cut(typeof value === 'string' ? inLine(value) : jsonText(value));
}

function bodyText({ value: bytes, unread }: LogRecord, { value, why }: Decoded, paint: Paint): string {
  if (unread !== undefined) return paint('yellow', `(${unreadText(unread)})`);
  if (bytes === null) return paint('grey', 'null');
  const note = why === undefined ? '' : ` ${paint('yellow', `(not decoded: ${inLine(why)})`)}`;
  if (value === undefined) return `${excerpt(bytes)}${note}`;
  return `${cut(jsonText(value))}${note}`;
}

function unreadText(unread: NonNullable<LogRecord['unread']>): string {
  return unread === 'too-large' ? 'too large to be shown' : 'its batch cannot be read';
}

/** A short summary for a dead letter's headers, then all others. */
function headersText(record: LogRecord, paint: Paint): string {
  const letter = letterOf(record);
  const others = record.headers.filter(({ name }) => letter === undefined || !name.startsWith('__dlq.errors.'));
  const said = others.map(
    ({ name, value }) => `${inLine(name)}=${value === null ? 'null' : cut(inLine(headerText(value)))}`,
  );
  const again = letter !== undefined && letter.attempts > 1 ? `, attempt ${letter.attempts}` : '';
  const why =
    letter === undefined
      ? []
      : [
          paint('red', inLine(`${letter.reason} in ${letter.stage}${again}`)),
          `of ${inLine(sourceText(letter.source))}`,
        ];
  return [...why, ...(said.length > 0 ? [paint('grey', said.join(' '))] : [])].join(' ');
}

export function headerText(bytes: Buffer): string {
  return isText(bytes) ? bytes.toString('utf8') : hex(bytes);
}

/** JSON in one line, with long lists of numbers shortened. */
export function jsonText(value: unknown): string {
  return inLine(compact(value));
}

function compact(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (!Array.isArray(value)) {
    const entries = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}:${compact(each)}`);
    return `{${entries.join(',')}}`;
  }
  const isLong = value.length > MOST_NUMBERS && value.every((each) => typeof each === 'number');
  if (!isLong) return `[${value.map(compact).join(',')}]`;
  return `[${value.slice(0, MOST_NUMBERS - 2).join(',')},… ${value.length} numbers]`;
}

function cut(text: string): string {
  const more = text.length - MOST_CHARACTERS;
  return more <= 0 ? text : `${text.slice(0, MOST_CHARACTERS)}… ${more} characters more, --json has them`;
}

function hex(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`;
}

/** A timestamp may be any number. */
export function timeText(timestampMs: number): string {
  const time = new Date(timestampMs);
  return Number.isNaN(time.getTime()) ? String(timestampMs) : time.toISOString();
}
