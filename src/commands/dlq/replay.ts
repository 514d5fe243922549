import { EXIT, SluiceError } from '../../kernel/errors.ts';
import type { Io } from '../io.ts';
import { type FilterOptions, filterOf, isEverything } from './filters.ts';
import { filters, tellHeldBack } from './list.ts';
import { type Place, placeOf, placeText } from './place.ts';
import { createSender, type Sender, targetsOf } from './sender.ts';
import { type DeadLetterTopic, withDeadLetters } from './topic.ts';

export interface DlqReplayOptions extends FilterOptions {
  readonly topology: string;
  /** Replay everything: asked for in so many words, because without filters it is. */
  readonly all: boolean;
  /** Where to, in place of the topics that the records came from. */
  readonly to: string | undefined;
  /** PARTITION:OFFSET in the dead-letter topic: what lies before it is left out, and so are the partitions before. */
  readonly from: string | undefined;
  readonly limit: number;
  /** Only say what would be done. */
  readonly dry: boolean;
  readonly json: boolean;
}

/** How far a replay came. */
interface Progress {
  /** The next place to be looked at. */
  at: Place;
  withoutBody: number;
  /** Why it ended before the end, for people; undefined where it did not. */
  ended: string | undefined;
}

/**
 * `sluice dlq replay`: sends records back to where they came from: key, value, timestamp and headers as they were, in the
 * same partition (where it is still there), with headers that link to the first attempt. Dead letters stay where they are.
 * However it ends, by a signal or a failure too, it says how many it sent, and from where on the rest can be sent.
 */
export function dlqReplay(options: DlqReplayOptions, io: Io): Promise<number> {
  const asked = filters(options);
  requireChoice(isEverything(asked) && !options.all, 'replay');
  const matches = filterOf(asked, io.clock.wallMs());
  const first = placeOf('--from', options.from ?? '0:0');
  return withDeadLetters(options.topology, io, async (topic) => {
    // What a dry run promises must be possible.
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
