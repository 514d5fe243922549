import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import { encodeHeaders } from '../../kernel/headers.ts';
import { RecordSlab } from '../../kernel/record-slab.ts';
import { isReplayHeader, replayHeaders } from '../../kernel/replay.ts';
import type { Io } from '../io.ts';
import { type FilterOptions, filterOf, isEverything } from './filters.ts';
import { type Letter, originalHeaders } from './letter.ts';
import { filters, tellHeldBack } from './list.ts';
import { type DeadLetterTopic, withDeadLetters } from './topic.ts';

export interface DlqReplayOptions extends FilterOptions {
  readonly topology: string;
  /** Replay everything: asked for in so many words, because without filters it is. */
  readonly all: boolean;
  /** Where to, in place of the topics that the records came from. */
  readonly to: string | undefined;
  readonly limit: number;
  /** Only say what would be done. */
  readonly dry: boolean;
  readonly json: boolean;
}

const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 256 * 1024;

/**
 * `sluice dlq replay`: sends records back to where they came from: key, value, timestamp and headers as they were, in the
 * same partition (where it is still there), with headers that link to the first attempt. Dead letters stay where they are.
 */
export function dlqReplay(options: DlqReplayOptions, io: Io): Promise<number> {
  const asked = filters(options);
  requireChoice(isEverything(asked) && !options.all, 'replay');
  const matches = filterOf(asked, io.clock.wallMs());
  return withDeadLetters(options.topology, io, async (topic) => {
    const sender = createSender(topic, options, io);
    const tally = { replayed: 0, withoutBody: 0 };
    try {
      for (const [partition, { start, end }] of (await topic.extents()).entries()) {
        let pending: Letter[] = [];
        let bytes = 0;
        let from = start;
        while (from < end && tally.replayed + pending.length < options.limit) {
          const ended = await topic.letters(partition, { from, to: end }, (letter) => {
            if (!matches(letter)) return true;
            if (letter.withoutBody) {
              tally.withoutBody++;
              return true;
            }
            pending.push(letter);
            bytes += letter.record.value?.length ?? 0;
            const full = pending.length === CHUNK_RECORDS || bytes >= CHUNK_BYTES;
            return !full && tally.replayed + pending.length < options.limit;
          });
          if (!options.dry) await sender.send(pending);
          tally.replayed += pending.length;
          const isHeldBack = ended === from && pending.length === 0;
          if (isHeldBack) tellHeldBack(io, topic, partition, ended, end);
          if (isHeldBack) break;
          from = ended;
          pending = [];
          bytes = 0;
        }
      }
    } finally {
      await sender.close();
    }
    report(topic, options, tally, io);
    return EXIT.done;
  });
}

export function requireChoice(missing: boolean, verb: string): void {
  if (!missing) return;
  throw new SluiceError(
    'usage-invalid',
    `dlq ${verb}: say which dead letters, by --reason, --source, --since and the like, or --all; --dry shows what would happen`,
  );
}

/** Sends letters in the order given, one partition a call. */
function createSender(topic: DeadLetterTopic, options: DlqReplayOptions, io: Io) {
  const { clock, random } = io;
  const sink = createKafkaSink({ clock, random, telemetry: topic.telemetry }, topic.connection);
  const opened = new Set<string>();

  function targetOf({ source }: Letter): string {
    const target = options.to ?? source.topic;
    if (options.to !== undefined || topic.topology.source.topics.includes(target)) return target;
    throw new SluiceError(
      'usage-invalid',
      `a dead letter came from topic "${target}", which ${options.topology} does not read: filter with --source, or say --to TOPIC`,
    );
  }

  return {
    async send(letters: readonly Letter[]): Promise<void> {
      const slabs = new Map<string, { topic: string; partition: number; rows: RecordSlab }>();
      for (const letter of letters) {
        const target = targetOf(letter);
        if (!opened.has(target)) {
          opened.add(target);
          await sink.open([...opened]);
        }
        const partition = letter.source.partition % sink.partitionCount(target);
        const place = `${target}/${partition}`;
        const slab = slabs.get(place) ?? {
          topic: target,
          partition,
          rows: new RecordSlab(letters.length, CHUNK_BYTES),
        };
        slabs.set(place, slab);
        appendReplay(letter, slab.rows);
      }
      for (const { topic: target, partition, rows } of slabs.values()) await sink.send(target, partition, rows);
    },
    async close(): Promise<void> {
      if (opened.size > 0) await sink.close();
    },
  };
}

/** The record as it was, with the link to its first attempt in place of an older one. */
export function appendReplay(letter: Letter, rows: RecordSlab): void {
  const { record, timestampMs, attempts, firstAttempt, firstSeen } = letter;
  const headers = [
    ...originalHeaders(letter).filter(({ name }) => !isReplayHeader(name)),
    ...replayHeaders({ of: firstAttempt, attempt: attempts + 1, firstSeen }),
  ];
  rows.append(timestampMs, record.key, record.value, encodeHeaders(headers));
}

function report(
  topic: DeadLetterTopic,
  options: DlqReplayOptions,
  tally: { readonly replayed: number; readonly withoutBody: number },
  io: Io,
): void {
  const { replayed, withoutBody } = tally;
  if (options.json) {
    io.stdout.write(`${JSON.stringify({ topic: topic.name, ...tally, dry: options.dry })}\n`);
    return;
  }
  const to = options.to ?? topic.topology.source.topics.join(', ');
  io.stderr.write(`${replayed} dead letters ${options.dry ? 'would be ' : ''}replayed to ${to}\n`);
  if (withoutBody > 0) {
    io.stderr.write(
      `${withoutBody} left out: they were kept by reference, without a body (\`dlq list\` says where the records lie)\n`,
    );
  }
  if (replayed > 0 && !options.dry) {
    io.stderr.write(
      'they are still in the dead-letter topic, and a second replay would repeat them: `dlq purge` removes them\n',
    );
  }
}
