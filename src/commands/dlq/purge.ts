import { EXIT } from '../../kernel/errors.ts';
import type { Io } from '../io.ts';
import { type FilterOptions, filterOf, isEverything } from './filters.ts';
import { filters, tellHeldBack } from './list.ts';
import { requireChoice } from './replay.ts';
import { withDeadLetters } from './topic.ts';

export interface DlqPurgeOptions extends FilterOptions {
  readonly topology: string;
  /** Explicit consent to delete everything. */
  readonly all: boolean;
  /** Report without doing anything. */
  readonly dry: boolean;
  readonly json: boolean;
}

/**
 * `sluice dlq purge`: deletes dead letters for good. Kafka can delete only the beginning of a partition, so each partition is purged
 * up to its first letter that does not match; matching letters after that stay, and are counted.
 */
export function dlqPurge(options: DlqPurgeOptions, io: Io): Promise<number> {
  const asked = filters(options);
  requireChoice(isEverything(asked) && !options.all, 'purge');
  const matches = filterOf(asked, io.clock.wallMs());
  return withDeadLetters(options.topology, io, async (topic) => {
    let purged = 0;
    let behind = 0;
    const strangersIn: number[] = [];
    for (const [partition, { start, end }] of (await topic.extents()).entries()) {
      let front = start;
      let open = true;
      let here = 0;
      const strangersBefore = topic.strangers;
      const ended = await topic.letters(partition, { from: start, to: end }, (letter) => {
        // Records that are not our dead letters are not ours to delete, so nothing after them is purged either.
        if (topic.strangers > strangersBefore) open = false;
        const meant = matches(letter);
        if (open && meant) {
          front = letter.offset + 1;
          here++;
        } else if (meant) behind++;
        else open = false;
        return true;
      });
      if (topic.strangers > strangersBefore) strangersIn.push(partition);
      tellHeldBack(io, topic, partition, ended, end);
      try {
        if (here > 0 && !options.dry) await topic.log.truncate(topic.name, partition, front);
      } catch (thrown) {
        io.stderr.write(`${topic.name}: ${purged} dead letters deleted, in the partitions before ${partition}\n`);
        throw thrown;
      }
      purged += here;
    }
    if (options.json) {
      io.stdout.write(`${JSON.stringify({ topic: topic.name, purged, behind, dry: options.dry })}\n`);
      return EXIT.done;
    }
    io.stderr.write(`${topic.name}: ${purged} dead letters ${options.dry ? 'would be ' : ''}deleted\n`);
    if (behind > 0) {
      io.stderr.write(
        `${behind} that match stay: Kafka deletes from the front of a partition only, and others that do not match lie before them\n`,
      );
    }
    if (strangersIn.length > 0) {
      io.stderr.write(
        `partitions ${strangersIn.join(', ')} hold records that are no dead letters of Sluice: nothing behind them is deleted\n`,
      );
    }
    return EXIT.done;
  });
}
