import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
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
  /** Whoever read stdout has gone (`| head`); told before the send fails for it. */
  readonly onReaderGone: () => void;
}

/**
 * Files as a sink: every topic one partition, so that output is in input order. A line is acknowledged when the stream has
 * taken it with its back pressure, so a full disk may show only at the end: `close` rejects then, at every call, and whoever
 * says that a file is whole has awaited it.
 */
export function createJsonlSink(options: JsonlSinkOptions): Sink {
  const { deadLetters } = options;
  const outlets = new Map<string, Outlet>();
  let closing: Promise<void> | undefined;

  return {
    async open(topics) {
      for (const topic of topics) {
        const file = topic === deadLetters.topic ? deadLetters.file : options.outputs[topic];
        if (file !== undefined) outlets.set(topic, file === '-' ? stdoutOutlet(options) : await fileOutlet(file));
      }
    },
    partitionCount: () => 1,
    async send(topic, _partition, rows) {
      const outlet = outlets.get(topic);
      if (outlet === undefined) return;
      await outlet.write(topic === deadLetters.topic ? deadLetterLines(rows) : valueLines(rows));
    },
    close() {
      closing ??= Promise.all([...outlets.values()].map((outlet) => outlet.end())).then(() => undefined);
      return closing;
    },
  };
}

interface Outlet {
  write(bytes: Buffer | string): Promise<void>;
  end(): Promise<void>;
}

function stdoutOutlet({ stdout, onReaderGone }: JsonlSinkOptions): Outlet {
  return {
    write: (bytes) =>
      written(stdout, bytes).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') onReaderGone();
        throw failure('standard output', error);
      }),
    end: () => Promise.resolve(),
  };
}

async function fileOutlet(file: string): Promise<Outlet> {
  const disk = createWriteStream(file);
  await new Promise<void>((resolve, reject) => {
    disk.once('open', () => resolve());
    disk.once('error', (error) =>
      reject(new SluiceError('file-invalid', `cannot write ${file}: ${error.message}`, error)),
    );
  });
  const front = file.endsWith('.gz') ? createGzip() : disk;
  if (front !== disk) front.pipe(disk);
  let broken: SluiceError | undefined;
  let giveUp: (error: SluiceError) => void = () => undefined;
  // A packer learns nothing of the disk behind it (cause): a write that waits for room would wait for ever (effect);
  // so the end of the disk ends the write that is under way (guard).
  const ended = finished(disk).catch((error: unknown) => {
    broken ??= failure(file, error);
    giveUp(broken);
  });
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (broken !== undefined) return reject(broken);
        giveUp = reject;
        written(front, bytes).then(resolve, (error) => {
          broken ??= failure(file, error);
          reject(broken);
        });
      }),
    async end() {
      front.end();
      await ended;
      if (broken !== undefined) throw broken;
    },
  };
}

function written(stream: NodeJS.WritableStream, bytes: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function failure(target: string, cause: unknown): SluiceError {
  return new SluiceError('file-failed', `cannot write ${target}: ${(cause as Error).message}`, cause);
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
