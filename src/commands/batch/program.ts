import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import type { Io } from '../io.ts';

const FORMATS = ['jsonl', 'csv', 'avro', 'parquet'];

/** `sluice batch`; `done` is told the exit code. */
export function addBatch(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('batch')
    .argument('<topology>', 'topology file')
    .description(
      'The same path over what has an end, a file or a part of a topic: one prediction a record, in input order.',
    )
    .requiredOption(
      '--input <file>',
      'JSON Lines, .csv, .avro or .parquet, .gz and .zst too; - is standard input; kafka:TOPIC a topic',
    )
    .requiredOption(
      '--output <file>',
      'JSON Lines, .csv, .avro or .parquet, .gz and .zst too; - is standard output; kafka:TOPIC a topic',
    )
    .option('--from <place>', 'of a topic: where to begin (default: earliest)')
    .option('--to <place>', 'of a topic: where to end, not included (default: where it ends at the start)')
    .addOption(new Option('--input-format <name>', 'what --input is, whatever its name').choices(FORMATS))
    .addOption(new Option('--output-format <name>', 'what --output shall be, whatever its name').choices(FORMATS))
    .option(
      '--features <dir>',
      'folder of feature files, TABLE.jsonl or TABLE.jsonl.gz; without it a topic is scored with the features in the store',
    )
    .option('--dead-letters <file>', 'where records that cannot be scored go, a line each: reason, offset, value')
    .addOption(
      new Option('--limit <n>', 'stop after this many records')
        .argParser(whole)
        .default(Number.POSITIVE_INFINITY, 'all of them'),
    )
    .option('--resume', 'go on where a run that did not end stood; begin, where there was none', false)
    .option('--bookmark <file>', 'where it notes how far it is (default: OUTPUT.bookmark; into a topic: nowhere)')
    .option('--json', 'the summary as JSON on standard output; with --output - on standard error', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sluice batch topologies/flight-delay.yaml --features examples/flight-delay/features \\
      --input examples/flight-delay/flights.jsonl.gz --output scored.jsonl --dead-letters bad.jsonl
  $ sluice batch topologies/hello.yaml --input events.avro --output scored.avro
  $ sluice batch topologies/flight-delay.yaml --input kafka:flights.departed --from 2026-01-31 --to 2026-02-01 \\
      --output january.parquet
  $ sluice batch topologies/flight-delay.yaml --input kafka:flights.departed --from 0:1200,1:1350 \\
      --output kafka:flights.delay-risk.again
  $ sluice batch topologies/hello.yaml --input events.avro --output scored.avro --resume

Lines are plain JSON, as the topology's schemas describe them; an offset is the number of a line, from 0. An Avro container
is read by the schema in it, resolved to the topology's; it may be packed by deflate, zstandard or snappy.
CSV has a header line; a field that is empty is missing. Of Parquet only the columns that are wanted are read.

A place in a topic is earliest, latest, an offset (1200), offsets by partition (0:1200,1:1350: those partitions alone), -N for
the last N, a time ago (2h) or an ISO time. Its values are as the topology says; no group is joined, nobody's position moves.
To a file its partitions go one behind the other. Outputs to a topic have the key and the headers that \`run\` gives them.

Every five seconds it notes in OUTPUT.bookmark how far it is; when all is done that is removed. --resume cuts the output
there and goes on, if topology, model and input are as they were; not with Parquet. Into a topic only --bookmark is noted in.
Delivery to a topic is at least once, whatever flow.delivery says: --resume finds there what is published, by its headers, but
what the broker was sent and had not appended by then comes twice, a request a partition at most.`,
    )
    .action(async (topology, options) => {
      const { batch } = await import('./batch.ts');
      done(await batch({ topology, ...options }, io));
    });
}
