import type { SluiceError } from '../../kernel/errors.ts';
import type { Sink } from '../../ports/sink.ts';
import { deadLetterLines } from './batch/dead-letter-lines.ts';
import { fileOutlet, type Outlet, streamOutlet } from './batch/outlets.ts';
import { LINES, type RowFormat } from './batch/row-formats.ts';

export interface FileSink extends Sink {
  /** While nothing is sent: all that was is on the disk. Topic → length of its file, which may be gone on with from there. */
  flush(): Promise<ReadonlyMap<string, number>>;
}

export interface FileSinkOptions {
  /** Topic → file that its values go to; `.gz` and `.zst` are packed on the way, `-` is stdout. */
  readonly outputs: Readonly<Record<string, string>>;
  /** How values become a file; JSON Lines where nothing is said. */
  readonly format?: RowFormat;
  /** Of files that are gone on with: topic → bytes that stay, the rest is cut off. */
  readonly keepBytes?: Readonly<Record<string, number>>;
  /** Topic of dead letters → file, as JSON Lines; undefined counts them without keeping them. */
  readonly deadLetters: { readonly topic: string; readonly file: string | undefined };
  readonly stdout: NodeJS.WritableStream;
  /** Whoever read stdout has gone (`| head`); told before the send fails for it. */
  readonly onReaderGone: () => void;
}

/**
 * Files as a sink: every topic has one partition, so that output is in input order. Rows are acknowledged when the operating system has
 * accepted them, or even while they wait to be compressed with others, so a full disk may show only at the end: then every call of
 * `close` rejects. A file is complete only after `close` has resolved.
 */
export function createFileSink(options: FileSinkOptions): FileSink {
  const { deadLetters, format = LINES, stdout, onReaderGone } = options;
  const outlets = new Map<string, Outlet>();
  let closing: Promise<void> | undefined;
  let flushing: Promise<unknown> = Promise.resolve();

  async function flush(): Promise<ReadonlyMap<string, number>> {
    const lengths = new Map<string, number>();
    for (const [topic, outlet] of outlets) {
      if (topic !== deadLetters.topic) await writeSome(outlet, await format.flush());
      lengths.set(topic, await outlet.flush());
    }
    return lengths;
  }

  async function end(topic: string, outlet: Outlet): Promise<void> {
    try {
      if (topic !== deadLetters.topic) await writeSome(outlet, await format.end());
    } finally {
      await outlet.end();
    }
  }

  async function close(): Promise<void> {
    // A signal may come in the middle of a flush: a file that is closed then would lack what is being written.
    await flushing;
    const ends = await Promise.allSettled([...outlets].map(([topic, outlet]) => end(topic, outlet)));
    const failed = ends.find((ended) => ended.status === 'rejected');
    if (failed !== undefined) throw failed.reason as SluiceError;
  }

  return {
    async open(topics) {
      for (const topic of topics) {
        const file = topic === deadLetters.topic ? deadLetters.file : options.outputs[topic];
        if (file === undefined) continue;
        const keepBytes = options.keepBytes?.[topic] ?? 0;
        const outlet = file === '-' ? streamOutlet(stdout, onReaderGone) : await fileOutlet(file, keepBytes);
        outlets.set(topic, outlet);
        if (topic !== deadLetters.topic && keepBytes === 0) await writeSome(outlet, format.begin());
      }
    },
    partitionCount: () => 1,
    async send(topic, _partition, rows) {
      const outlet = outlets.get(topic);
      if (outlet === undefined) return;
      const bytes = topic === deadLetters.topic ? Buffer.from(deadLetterLines(rows)) : format.rows(rows);
      await writeSome(outlet, bytes instanceof Buffer ? bytes : await bytes);
    },
    flush() {
      const flushed = flush();
      flushing = flushed.catch(() => undefined);
      return flushed;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function writeSome(outlet: Outlet, bytes: Buffer): Promise<void> {
  if (bytes.length > 0) await outlet.write(bytes);
}
