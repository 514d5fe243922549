import { EXIT } from '../../kernel/errors.ts';
import type { Extent } from '../../ports/topic-log.ts';
import { inLine, isText } from '../display/safe-text.ts';
import type { Io } from '../io.ts';
import { type Letter, sourceText } from '../look/dead-letter.ts';
import { plain } from './list.ts';
import { placeOf } from './place.ts';
import { type DeadLetterTopic, withDeadLetters } from './topic.ts';

export interface DlqShowOptions {
  readonly topology: string;
  /** PARTITION:OFFSET in the dead-letter topic, as `list` prints it. */
  readonly at: string;
  /** Write only the bytes of the value to standard output. */
  readonly raw: boolean;
  readonly json: boolean;
}

const DUMP_BYTES = 1_024;
const DUMP_WIDTH = 16;

/** `sluice dlq show`: one dead letter in full. */
export function dlqShow(options: DlqShowOptions, io: Io): Promise<number> {
  const { partition, offset } = placeOf('<at>', options.at);
  return withDeadLetters(options.topology, io, async (topic) => {
    const extent = (await topic.extents())[partition];
    let letter: Letter | undefined;
    if (extent !== undefined && offset >= extent.start && offset < extent.end) {
      await topic.letters(partition, { from: offset, to: offset + 1 }, (found) => {
        letter = found;
        return false;
      });
    }
    if (letter === undefined) {
      io.stderr.write(`${topic.name} has no dead letter at ${options.at}: ${whyNone(topic, partition, extent)}\n`);
      return EXIT.failed;
    }
    if (options.raw && letter.withoutBody) {
      io.stderr.write(`${options.at} was kept ${bodyElsewhere(letter)}\n`);
      return EXIT.failed;
    }
    if (options.raw) io.stdout.write(letter.record.value ?? Buffer.alloc(0));
    else if (options.json) io.stdout.write(`${JSON.stringify(whole(letter))}\n`);
    else print(letter, io);
    return EXIT.done;
  });
}

function whyNone(topic: DeadLetterTopic, partition: number, extent: Extent | undefined): string {
  if (extent === undefined) return `it has no partition ${partition}`;
  if (topic.strangers > 0) return 'what lies there is no dead letter of Sluice';
  if (extent.start === extent.end) return `partition ${partition} is empty`;
  return (
    `partition ${partition} holds offsets ${extent.start} to ${extent.end - 1}; ` +
    'between them lie what transactions need, and what is not committed or compacted away'
  );
}

function bodyElsewhere({ bytes, source }: Letter): string {
  return `without its body of ${bytes} bytes; read it at ${sourceText(source)}`;
}

function whole(letter: Letter): Readonly<Record<string, unknown>> {
  const { headers, key, value } = letter.record;
  return {
    ...plain(letter),
    headers: headers.map((header) => ({ name: header.name, value: header.value?.toString('utf8') ?? null })),
    keyBase64: key?.toString('base64') ?? null,
    valueBase64: value?.toString('base64') ?? null,
  };
}

function print(letter: Letter, io: Io): void {
  const { record } = letter;
  const say = (name: string, text: string): void => void io.stdout.write(`${name.padEnd(15)}${inLine(text)}\n`);
  say('source', sourceText(letter.source));
  say('reason', `${letter.reason} (stage ${letter.stage})`);
  if (letter.detail !== '') say('because', letter.detail);
  const first = letter.attempts > 1 ? `, the first was ${letter.firstAttempt}` : '';
  say('attempt', `${letter.attempts}${first}`);
  say('first seen', letter.firstSeen);
  say('timestamp', timeText(letter.timestampMs));
  if (letter.schemaId !== '') say('schema id', letter.schemaId);
  if (letter.model !== '') say('model', letter.model);
  say('instance', letter.instance);
  for (const { name, value } of record.headers) {
    if (!name.startsWith('__dlq.errors.')) say('header', `${name}: ${value === null ? 'null' : inline(value)}`);
  }
  say('key', record.key === null ? 'null' : inline(record.key));
  if (letter.withoutBody) {
    say('value', bodyElsewhere(letter));
  } else if (record.value === null) say('value', 'null');
  else {
    say('value', `${record.value.length} bytes`);
    io.stdout.write(isText(record.value) ? `${record.value.toString('utf8')}\n` : dump(record.value));
  }
}

/** A timestamp may be any number. */
function timeText(timestampMs: number): string {
  const time = new Date(timestampMs);
  return Number.isNaN(time.getTime()) ? String(timestampMs) : time.toISOString();
}

function inline(bytes: Buffer): string {
  return isText(bytes) ? bytes.toString('utf8') : `0x${bytes.toString('hex')}`;
}

function dump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, DUMP_BYTES); at += DUMP_WIDTH) {
    const part = bytes.subarray(at, at + DUMP_WIDTH);
    const hex = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = [...part].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(3 * DUMP_WIDTH)} ${text}`);
  }
  if (bytes.length > DUMP_BYTES) lines.push(`… ${bytes.length - DUMP_BYTES} bytes more; --raw gives all of them`);
  return `${lines.join('\n')}\n`;
}
