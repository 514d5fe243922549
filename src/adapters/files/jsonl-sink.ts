import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip, type Gzip } from 'node:zlib';
import { SluiceError } from '../../kernel/errors.ts';
import { decodeHeaders } from '../../kernel/headers.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';

export interface JsonlSinkOptions {
  /** Topic → file that its values go to, a line each; `.gz` is packed on the way, `-` is stdout. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Topic of dead letters → file; undefined counts them without keeping them. */
  readonly deadLetters: { readonly topic: string; readonly file: string | undefined };
  readonly stdout: NodeJS.WritableStream;
}

/**
 * Files as a sink: every topic one partition, so that output is in input order. A line is acknowledged when the stream has
 * taken it with its back pressure; `close` resolves when everything is on its way to the disk.
 */
export function createJsonlSink(options: JsonlSinkOptions): Sink {
  const { deadLetters } = options;
  const lanes = new Map<string, Lane>();

  return {
    async open(topics) {
      for (const topic of topics) {
        const file = topic === deadLetters.topic ? deadLetters.file : options.outputs[topic];
        if (file !== undefined) lanes.set(topic, await openLane(file, options.stdout));
      }
    },
    partitionCount: () => 1,
    async send(topic, _partition, rows) {
      const lane = lanes.get(topic);
      if (lane === undefined) return;
      await lane.write(topic === deadLetters.topic ? deadLetterLines(rows) : valueLines(rows));
    },
    async close() {
      for (const lane of lanes.values()) await lane.end();
      lanes.clear();
    },
  };
}

interface Lane {
  write(bytes: Buffer | string): Promise<void>;
  end(): Promise<void>;
}

async function openLane(file: string, stdout: NodeJS.WritableStream): Promise<Lane> {
  if (file === '-') return { write: (bytes) => writeTo(stdout, bytes, () => undefined), end: () => Promise.resolve() };
  const disk: WriteStream = createWriteStream(file);
  await new Promise<void>((resolve, reject) => {
    disk.once('open', () => resolve());
    disk.once('error', (error) =>
      reject(new SluiceError('file-invalid', `cannot write ${file}: ${error.message}`, error)),
    );
  });
  let broken: Error | undefined;
  disk.on('error', (error) => {
    broken = error;
  });
  const packed: Gzip | undefined = file.endsWith('.gz') ? createGzip() : undefined;
  packed?.pipe(disk);
  const front = packed ?? disk;
  const check = (): SluiceError | undefined =>
    broken && new SluiceError('file-invalid', `cannot write ${file}: ${broken.message}`, broken);
  return {
    write: (bytes) => writeTo(front, bytes, check),
    async end() {
      front.end();
      await finished(disk);
    },
  };
}

function writeTo(
  stream: NodeJS.WritableStream,
  bytes: Buffer | string,
  check: () => SluiceError | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      const failure =
        check() ?? (error ? new SluiceError('file-invalid', `cannot write: ${error.message}`, error) : undefined);
      if (failure) reject(failure);
      else resolve();
    });
  });
}

/** Every row's value and a line end, in one buffer. */
function valueLines(rows: RecordSlab): Buffer {
  let bytes = 0;
  for (let i = 0; i < rows.count; i++) bytes += rows.valueEnd[i] - rows.valueStart[i] + 1;
  const lines = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let i = 0; i < rows.count; i++) {
    at += rows.arena.copy(lines, at, rows.valueStart[i], rows.valueEnd[i]);
    lines[at++] = 10;
  }
  return lines;
}

/** A dead letter as a line of JSON: its `__dlq.errors.*` headers by name, and the value as text where it is text, else base64. */
function deadLetterLines(rows: RecordSlab): string {
  let text = '';
  for (let i = 0; i < rows.count; i++) {
    const line: Record<string, unknown> = {};
    for (const { name, value } of decodeHeaders(rows.arena.subarray(rows.headersStart[i], rows.headersEnd[i]))) {
      line[name.replace(/^__dlq\.errors\./, '')] = value?.toString('utf8') ?? null;
    }
    if (rows.valueStart[i] < 0) line.value = null;
    else Object.assign(line, textOrBase64(rows.arena.subarray(rows.valueStart[i], rows.valueEnd[i])));
    text += `${JSON.stringify(line)}\n`;
  }
  return text;
}

function textOrBase64(bytes: Buffer): { value: string } | { valueBase64: string } {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { value: text } : { valueBase64: bytes.toString('base64') };
}
