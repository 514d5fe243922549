import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import type { Io } from '../io.ts';

const FORMATS = ['jsonl', 'csv', 'avro', 'parquet'];

/** `sluice batch`; `done` is told the exit code. */
export function addBatch(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('batch')
    .argument('<topology>', 'topology file')
    .description('The same path over a file: one prediction a record, in input order.')
    .requiredOption('--input <file>', 'JSON Lines, .csv, .avro or .parquet, .gz and .zst too; - is standard input')
    .requiredOption('--output <file>', 'JSON Lines, .csv, .avro or .parquet, .gz and .zst too; - is standard output')
    .addOption(new Option('--input-format <name>', 'what --input is, whatever its name').choices(FORMATS))
    .addOption(new Option('--output-format <name>', 'what --output shall be, whatever its name').choices(FORMATS))
    .option('--features <dir>', 'folder of feature files, TABLE.jsonl or TABLE.jsonl.gz')
    .option('--dead-letters <file>', 'where records that cannot be scored go, a line each: reason, offset, value')
    .addOption(
      new Option('--limit <n>', 'stop after this many records')
        .argParser(whole)
        .default(Number.POSITIVE_INFINITY, 'all of them'),
    )
    .option('--json', 'the summary as JSON on standard output; with --output - on standard error', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sluice batch topologies/flight-delay.yaml --features examples/flight-delay/features \\
      --input examples/flight-delay/flights.jsonl.gz --output scored.jsonl --dead-letters bad.jsonl
  $ sluice batch topologies/hello.yaml --input events.avro --output scored.avro

Lines are plain JSON, as the topology's schemas describe them; an offset is the number of a line, from 0. An Avro container
is read by the schema in it, resolved to the topology's; it may be packed by deflate, zstandard or snappy.
CSV has a header line; a field that is empty is missing. Of Parquet only the columns that are wanted are read.`,
    )
    .action(async (topology, options) => {
      const { batch } = await import('./batch.ts');
      done(await batch({ topology, ...options }, io));
    });
}
