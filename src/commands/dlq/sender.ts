import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { encodeHeaders } from '../../kernel/headers.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import { isReplayHeader, replayHeaders } from '../../kernel/replay.ts';
import type { Io } from '../io.ts';
import { type Letter, originalHeaders } from '../look/dead-letter.ts';
import type { DeadLetterTopic } from './topic.ts';

export interface SenderOptions {
  readonly topology: string;
  /** Target topic, instead of each record's own. */
  readonly to: string | undefined;
  /** Send nothing. */
  readonly dry: boolean;
}

/** Sends letters in order, many at a time. */
export interface Sender {
  /** Queues a letter, sending earlier ones first if there are many; then true. Throws for a record from elsewhere, in a dry run too. */
  take(letter: Letter): boolean | Promise<boolean>;
  /** Resolves when all queued letters are acknowledged. */
  flush(): Promise<void>;
  close(): Promise<void>;
  readonly taken: number;
  /** Acknowledged letters. */
  readonly sent: number;
  /** The first queued letter that may not have been sent. */
  readonly oldest: Letter | undefined;
}

const CHUNK_RECORDS = 500;
/** Exceeded only by a single larger record: by default a topic accepts a megabyte per batch. */
const CHUNK_BYTES = 256 * 1024;

/** The topics to which letters may be sent. */
export function targetsOf(topic: DeadLetterTopic, { to }: Pick<SenderOptions, 'to'>): readonly string[] {
  return to === undefined ? topic.topology.source.topics : [to];
}

export function createSender(topic: DeadLetterTopic, options: SenderOptions, io: Io): Sender {
  const { clock, random } = io;
  const targets = targetsOf(topic, options);
  const sink = createKafkaSink({ clock, random, telemetry: topic.telemetry }, topic.connection);
  let opened = false;
  let chunk: Letter[] = [];
  let bytes = 0;
  let sent = 0;

  function targetOf({ source }: Letter): string {
    const target = options.to ?? source.topic;
    if (targets.includes(target)) return target;
    throw new SluiceError(
      'usage-invalid',
      `a dead letter came from topic "${target}", which ${options.topology} does not read: filter with --source, or say --to TOPIC`,
    );
  }

  async function send(): Promise<void> {
    if (!opened) {
      opened = true;
      await sink.open(targets);
    }
    const slabs = new Map<string, { readonly target: string; readonly partition: number; readonly rows: RecordSlab }>();
    for (const letter of chunk) {
      const target = targetOf(letter);
      const partition = letter.source.partition % sink.partitionCount(target);
      const place = `${target}/${partition}`;
      let slab = slabs.get(place);
      if (slab === undefined) {
        slab = { target, partition, rows: new RecordSlab(chunk.length, bytes) };
        slabs.set(place, slab);
      }
      appendReplay(letter, slab.rows);
    }
    for (const { target, partition, rows } of slabs.values()) await sink.send(target, partition, rows);
  }

  async function flush(): Promise<void> {
    if (chunk.length > 0 && !options.dry) await send();
    sent += chunk.length;
    chunk = [];
    bytes = 0;
  }

  return {
    take(letter) {
      targetOf(letter);
      const size = bytesOf(letter);
      const add = (): boolean => {
        chunk.push(letter);
        bytes += size;
        return true;
      };
      const isFull = chunk.length === CHUNK_RECORDS || (chunk.length > 0 && bytes + size > CHUNK_BYTES);
      return isFull ? flush().then(add) : add();
    },
    flush,
    async close() {
      if (opened) await sink.close();
    },
    get taken() {
      return sent + chunk.length;
    },
    get sent() {
      return sent;
    },
    get oldest() {
      return chunk[0];
    },
  };
}

/** The original record; a link to its first attempt replaces any older one. */
export function appendReplay(letter: Letter, rows: RecordSlab): void {
  const { record, timestampMs, attempts, firstAttempt, firstSeen } = letter;
  const headers = [
    ...originalHeaders(letter).filter(({ name }) => !isReplayHeader(name)),
    ...replayHeaders({ of: firstAttempt, attempt: attempts + 1, firstSeen }),
  ];
  rows.append(timestampMs, record.key, record.value, encodeHeaders(headers));
}

/** Approximate size in a batch. */
function bytesOf({ record: { key, value, headers } }: Letter): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += header.name.length + (header.value?.length ?? 0);
  return bytes;
}
