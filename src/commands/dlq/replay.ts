import { EXIT, SluiceError } from '../../kernel/errors.ts';
import type { Io } from '../io.ts';
import { type FilterOptions, filterOf, isEverything } from './filters.ts';
import { filters, tellHeldBack } from './list.ts';
import { type Place, placeOf, placeText } from './place.ts';
import { createSender, type Sender, targetsOf } from './sender.ts';
import { type DeadLetterTopic, withDeadLetters } from './topic.ts';

export interface DlqReplayOptions extends FilterOptions {
  readonly topology: string;
  /** Explicit consent to replay everything, as without filters. */
  readonly all: boolean;
  /** Target topic, instead of each record's own. */
  readonly to: string | undefined;
  /** PARTITION:OFFSET in the dead-letter topic: skips everything before it, including earlier partitions. */
  readonly from: string | undefined;
  readonly limit: number;
  /** Report without doing anything. */
  readonly dry: boolean;
  readonly json: boolean;
}

/** Progress of a replay. */
interface Progress {
  /** The next place to read. */
  at: Place;
  withoutBody: number;
  /** Why it ended early, for people; undefined if it did not. */
  ended: string | undefined;
}

/**
 * `sluice dlq replay`: sends records back where they came from, with their original key, value, timestamp, headers and partition (if that
 * still exists), plus headers that link to the first attempt. The dead letters stay where they are.
 * However it ends, by signal or failure too, it reports how many records were sent, and where to continue.
 */
export function dlqReplay(options: DlqReplayOptions, io: Io): Promise<number> {
  const asked = filters(options);
  requireChoice(isEverything(asked) && !options.all, 'replay');
  const matches = filterOf(asked, io.clock.wallMs());
  const first = placeOf('--from', options.from ?? '0:0');
  return withDeadLetters(options.topology, io, async (topic) => {
    // A dry run must not promise what the real run cannot do.
    if (options.dry) for (const target of targetsOf(topic, options)) await topic.log.extents(target);
    const sender = createSender(topic, options, io);
    const progress: Progress = { at: first, withoutBody: 0, ended: undefined };
    let signalled: string | undefined;
    const forget = io.onSignal((signal) => {
      signalled = signal;
      forget();
    });

    async function replay(): Promise<void> {
      for (const [partition, { start, end }] of (await topic.extents()).entries()) {
        if (partition < first.partition) continue;
        const from = partition === first.partition ? Math.max(start, first.offset) : start;
        progress.at = { partition, offset: from };
        const ended = await topic.letters(partition, { from, to: end }, (letter) => {
          progress.at = letter;
          if (signalled !== undefined) progress.ended = `ended by ${signalled}`;
          else if (sender.taken >= options.limit) progress.ended = 'as many as --limit allows';
          if (progress.ended !== undefined) return false;
          if (!matches(letter)) return true;
          if (!letter.withoutBody) return sender.take(letter);
          progress.withoutBody++;
          return true;
        });
        if (progress.ended !== undefined) break;
        tellHeldBack(io, topic, partition, ended, end);
      }
      await sender.flush();
    }

    try {
      await replay();
    } catch (thrown) {
      progress.ended = 'it failed; what was under way may have been sent';
      if (sender.taken > 0) report(topic, options, sender, progress, io);
      throw thrown;
    } finally {
      forget();
      await sender.close();
    }
    report(topic, options, sender, progress, io);
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

function report(
  topic: DeadLetterTopic,
  options: DlqReplayOptions,
  sender: Sender,
  { at, withoutBody, ended }: Progress,
  io: Io,
): void {
  const { dry, json } = options;
  const replayed = sender.sent;
  const rest = ended === undefined ? undefined : placeText(sender.oldest ?? at);
  if (json) {
    const summary = { topic: topic.name, replayed, withoutBody, dry, ...(rest !== undefined && { rest }) };
    io.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const to = options.to ?? topic.topology.source.topics.join(', ');
  io.stderr.write(`${replayed} dead letters ${dry ? 'would be ' : ''}replayed to ${to}\n`);
  if (rest !== undefined) io.stderr.write(`not all: ${ended}; --from ${rest} goes on\n`);
  if (withoutBody > 0) {
    io.stderr.write(
      `${withoutBody} left out: they were kept by reference, without a body (\`dlq list\` says where the records lie)\n`,
    );
  }
  if (replayed > 0 && !dry) {
    io.stderr.write(
      'they are still in the dead-letter topic, and a second replay would repeat them: `dlq purge` removes them\n',
    );
  }
}
