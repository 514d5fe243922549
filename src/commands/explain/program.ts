import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice explain`; `done` is told the exit code. */
export function addExplain(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('explain')
    .argument('[words...]', 'topology file, and TOPIC:PARTITION:OFFSET of an input, an output or a dead letter')
    .description(
      'One record, step by step: event, keys, features with their ages, row, model, prediction, and what became of it.',
    )
    .option('--topology <file>', 'the pipeline, if it is not given first')
    .option('--input <file>', 'JSON Lines in place of a topic')
    .addOption(new Option('--line <n>', 'which line of --input, from 1').argParser(whole))
    .option('--features <dir>', 'folder of feature files in place of the store')
    .option('--store', 'features of the store itself, past a second level of the cache', false)
    .addOption(
      new Option('--search <n>', 'records of output and dead letters that are looked at, at most')
        .argParser(whole)
        .default(100_000),
    )
    .option('--json', 'as one JSON object', false)
    .addHelpText(
      'after',
      `
The record goes through the very path that \`sluice run\` takes, up to the point of publishing; nothing is published and
nothing committed. Features are as the store has them at this moment, so that an answer from before may differ:
what was published then is looked for in the topics, from the timestamp of the input on. Where the topology names a
second level of the cache, it is asked first, as \`run\` does, and which of the two has answered is said, with how long ago
the store was asked. What an instance has in its memory cannot be seen from here.
The model runs on the CPU, and nothing is given up under load. A let that may be missing, or is no number, is not shown.
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
