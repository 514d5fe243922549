import type { Command } from 'commander';
import { brokers, gather } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice features …`: reads and fills a topology's feature store. */
export function addFeatures(root: Command, io: Io, done: (code: number) => void): void {
  const features = root.command('features').description('The feature store of a topology.');
  features
    .command('load')
    .argument('<topology>', 'topology file')
    .argument('<dir>', 'folder of feature files, TABLE.jsonl or TABLE.jsonl.gz')
    .description('Loads the columns that the topology reads into its store; creates missing tables and families.')
    .option('--columns <list>', 'FAMILY.COLUMN,… to load instead of those that the topology reads', brokers)
    .option('--json', 'the summary as JSON on standard output', false)
    .addHelpText(
      'after',
      `
Example, into an emulator:
  $ BIGTABLE_EMULATOR_HOST=localhost:8086 sluice features load topologies/flight-delay.yaml examples/flight-delay/features`,
    )
    .action(async (topology, dir, options) => {
      const { runFeaturesLoad } = await import('./run-load.ts');
      done(await runFeaturesLoad({ topology, dir, ...options }, io));
    });

  features
    .command('get')
    .argument('<topology>', 'topology file')
    .argument('[keys...]', 'row keys, as the topology’s templates make them: ORD#LGA')
    .description(
      'Feature rows as the processor would read them: every column with its value and age, and what is missing.',
    )
    .option('--table <name>', 'only of this table; may be repeated', gather, [])
    .option('--view <name>', 'only this view; may be repeated', gather, [])
    .option('--event <file>', 'JSON Lines, - is standard input: keys made of each event, by the topology’s templates')
    .option('--features <dir>', 'folder of feature files instead of the store')
    .option('--store', 'rows from the store itself, bypassing a second level of the cache', false)
    .option('--json', 'one JSON object per row', false)
    .addHelpText(
      'after',
      `
A row is read from each table that the topology reads. What is older than a view's maxAge is stale; the topology's
treatment of it is shown. If the topology names a second level of the cache, it is asked first, as \`run\` does; the output says
which of the two answered, and how long ago the store was asked. What an instance has in its memory cannot be seen from here.
The exit code is 1 if a key or an event has no row at all.

Examples:
  $ sluice features get topologies/flight-delay.yaml ORD#LGA --table route
  $ sluice features get topologies/flight-delay.yaml ORD LGA --view origin --json
  $ head -1 examples/flight-delay/events-500.jsonl | \\
      sluice features get topologies/flight-delay.yaml --event - --features examples/flight-delay/features`,
    )
    .action(async (topology, keys, options) => {
      const { featuresGet } = await import('./get.ts');
      done(await featuresGet({ topology, keys, ...options }, io));
    });
}
