import { type Command, Option } from 'commander';
import { whole, wholeOrZero } from '../arguments.ts';
import type { Io } from '../io.ts';

const FILTERS = `
All filters must match; times are those at which Sluice first saw the record, as an ISO time or as a time ago (15m, 2h, 7d).
A replayed record that fails again carries __dlq.errors.attempts and .first-attempt.
Replayed records stay among the dead letters, and a second replay sends them again: purge deletes them.`;

/** `sluice dlq …`: operators' commands for dead letters. `done` receives the exit code. */
export function addDlq(root: Command, io: Io, done: (code: number) => void): void {
  const dlq = root.command('dlq').description('The dead letters of a topology: list, show, replay, purge.');

  withFilters(dlq.command('list').argument('<topology>', 'topology file'))
    .description('Counts dead letters by reason and shows the newest.')
    .addOption(new Option('--limit <n>', 'dead letters to show').argParser(whole).default(20))
    .option('--json', 'one line of JSON each', false)
    .addHelpText('after', examples('sluice dlq list topologies/flight-delay.yaml --reason decode-failed --since 2h'))
    .action(async (topology, options) => {
      const { dlqList } = await import('./list.ts');
      done(await dlqList({ topology, ...options }, io));
    });

  dlq
    .command('show')
    .argument('<topology>', 'topology file')
    .argument('<at>', 'PARTITION:OFFSET in the dead-letter topic, as `dlq list` says it')
    .description('One dead letter: why, where from, headers, key and value.')
    .option('--raw', 'the bytes of its value on standard output, nothing else', false)
    .option('--json', 'as JSON, key and value in base64 too', false)
    .addHelpText('after', `\nExample:\n  $ sluice dlq show topologies/flight-delay.yaml 0:12`)
    .action(async (topology, at, options) => {
      const { dlqShow } = await import('./show.ts');
      done(await dlqShow({ topology, at, ...options }, io));
    });

  withFilters(dlq.command('replay').argument('<topology>', 'topology file'))
    .description('Sends records back to the topics they came from, as they were, linked to their first attempt.')
    .option('--all', 'all of them', false)
    .option('--to <topic>', 'another topic instead')
    .option(
      '--from <at>',
      'PARTITION:OFFSET in the dead-letter topic: skip what lies before it, to continue a replay that ended early',
    )
    .addOption(
      new Option('--limit <n>', 'the most records to replay')
        .argParser(whole)
        .default(Number.POSITIVE_INFINITY, 'all that match'),
    )
    .option('--dry', 'only say what would be done', false)
    .option('--json', 'the summary as JSON on standard output', false)
    .addHelpText('after', examples('sluice dlq replay topologies/flight-delay.yaml --reason schema-unknown --dry'))
    .action(async (topology, options) => {
      const { dlqReplay } = await import('./replay.ts');
      done(await dlqReplay({ topology, ...options }, io));
    });

  withFilters(dlq.command('purge').argument('<topology>', 'topology file'))
    .description('Deletes dead letters for good, from the front of each partition up to the first that does not match.')
    .option('--all', 'all of them', false)
    .option('--dry', 'only say what would be done', false)
    .option('--json', 'the summary as JSON on standard output', false)
    .addHelpText('after', examples('sluice dlq purge topologies/flight-delay.yaml --until 7d'))
    .action(async (topology, options) => {
      const { dlqPurge } = await import('./purge.ts');
      done(await dlqPurge({ topology, ...options }, io));
    });
}

function withFilters(command: Command): Command {
  return command
    .option('--reason <list>', 'reason codes, comma-separated')
    .option('--stage <name>', 'the stage that gave up')
    .option('--source <place>', 'TOPIC, TOPIC/PARTITION, TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/FROM-TO')
    .option('--since <time>', 'first seen at this time or later')
    .option('--until <time>', 'first seen before this time')
    .option('--model <text>', 'NAME, NAME@VERSION or NAME@VERSION#digest: the beginning of the label')
    .option('--key <text>', 'the key of the record')
    .addOption(new Option('--attempts <n>', 'failed at least this often').argParser(whole))
    .addOption(new Option('--partition <n>', 'a partition of the dead-letter topic').argParser(wholeOrZero));
}

function examples(line: string): string {
  return `${FILTERS}\n\nExample:\n  $ ${line}`;
}
