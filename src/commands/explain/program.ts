import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice explain`; `done` is told the exit code. */
export function addExplain(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('explain')
    .argument('[words...]', 'topology file, and TOPIC:PARTITION:OFFSET of an input, an output or a dead letter')
    .description(
      'Shows one record, step by step: event, keys, features with their ages, row, model, prediction, and outcome.',
    )
    .option('--topology <file>', 'the pipeline, if not given as the first word')
    .option('--input <file>', 'JSON Lines instead of a topic')
    .addOption(new Option('--line <n>', 'which line of --input, from 1').argParser(whole))
    .option('--features <dir>', 'folder of feature files instead of the store')
    .option('--store', 'features from the store itself, bypassing a second level of the cache', false)
    .addOption(
      new Option('--search <n>', 'the most records of output and dead letters to search')
        .argParser(whole)
        .default(100_000),
    )
    .option('--json', 'as one JSON object', false)
    .addHelpText(
      'after',
      `
The record takes the same path as in \`sluice run\`, up to the point of publishing; nothing is published or committed.
Features are those in the store now, so an earlier prediction may differ: what was published then is searched for in the topics, from
the timestamp of the input on. If the topology names a second level of the cache, it is asked first, as \`run\` does; the output says
which of the two answered, and how long ago the store was asked. What an instance has in its memory cannot be seen from here.
The model runs on the CPU, and nothing is given up under load. A let that may be missing, or is not a number, is not shown.
An address of an output or a dead letter leads to its input, by sluice-source or __dlq.errors.*.

Examples:
  $ sluice explain topologies/flight-delay.yaml flights.departed:0:12
  $ sluice explain flights.dead-letter:0:3 --topology topologies/flight-delay.yaml --json
  $ sluice explain topologies/flight-delay.yaml --features examples/flight-delay/features \\
      --input examples/flight-delay/events-500.jsonl --line 6`,
    )
    .action(async (words, options) => {
      const { explain } = await import('./explain.ts');
      done(await explain({ words, ...options }, io));
    });
}
