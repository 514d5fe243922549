import { EXIT, SluiceError } from '../../kernel/errors.ts';
import type { Io } from '../io.ts';
import { type Letter, sourceText } from './letter.ts';
import { plain } from './list.ts';
import { withDeadLetters } from './topic.ts';

export interface DlqShowOptions {
  readonly topology: string;
  /** PARTITION:OFFSET in the dead-letter topic, as `list` says it. */
  readonly at: string;
  /** The value's bytes on standard output and nothing else. */
  readonly raw: boolean;
  readonly json: boolean;
}

const DUMP_BYTES = 1_024;
const DUMP_WIDTH = 16;

/** `sluice dlq show`: one dead letter, whole. */
export function dlqShow(options: DlqShowOptions, io: Io): Promise<number> {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,16})$/.exec(options.at) ?? [];
  if (offset === undefined) {
    throw new SluiceError(
      'usage-invalid',
      `"${options.at}" is not PARTITION:OFFSET, such as 0:12; \`dlq list\` has them`,
    );
  }
  return withDeadLetters(options.topology, io, async (topic) => {
    const extent = (await topic.extents())[Number(partition)];
    const from = Number(offset);
    let letter: Letter | undefined;
    if (extent !== undefined && from >= extent.start && from < extent.end) {
      await topic.letters(Number(partition), { from, to: from + 1 }, (found) => {
        letter = found;
        return false;
      });
    }
    if (letter === undefined) {
      const there =
        extent === undefined
          ? `it has no partition ${partition}`
          : `partition ${partition} holds offsets ${extent.start} to ${extent.end - 1}`;
      io.stderr.write(`${topic.name} has no dead letter at ${options.at}: ${there}\n`);
      return EXIT.failed;
    }
    if (options.raw) io.stdout.write(letter.record.value ?? Buffer.alloc(0));
    else if (options.json) io.stdout.write(`${JSON.stringify(whole(letter))}\n`);
    else print(letter, io);
    return EXIT.done;
  });
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
  const say = (name: string, text: string): void => void io.stdout.write(`${name.padEnd(15)}${text}\n`);
  say('source', sourceText(letter.source));
  say('reason', `${letter.reason} (stage ${letter.stage})`);
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
    say('value', `not kept: it had ${letter.bytes} bytes; read it at ${sourceText(letter.source)}`);
  } else if (record.value === null) say('value', 'null');
  else {
    say('value', `${record.value.length} bytes`);
    io.stdout.write(isText(record.value) ? `${record.value.toString('utf8')}\n` : dump(record.value));
  }
}

/** A timestamp can be any number. */
function timeText(timestampMs: number): string {
  const time = new Date(timestampMs);
  return Number.isNaN(time.getTime()) ? String(timestampMs) : time.toISOString();
}

function inline(bytes: Buffer): string {
  return isText(bytes) ? JSON.stringify(bytes.toString('utf8')).slice(1, -1) : `0x${bytes.toString('hex')}`;
}

/** UTF-8 without control characters but white space. */
function isText(bytes: Buffer): boolean {
  const text = bytes.toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/.test(text);
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
