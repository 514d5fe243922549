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
      'The same path over bounded input, a file or a range of a topic: one prediction per record, in input order.',
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
    .option('--to <place>', 'of a topic: where to end, exclusive (default: its end at the start)')
    .addOption(new Option('--input-format <name>', 'the format of --input, whatever its name').choices(FORMATS))
    .addOption(new Option('--output-format <name>', 'the format of --output, whatever its name').choices(FORMATS))
    .option(
      '--features <dir>',
      'folder of feature files, TABLE.jsonl or TABLE.jsonl.gz; without it a topic is scored with the features in the store',
    )
    .option('--dead-letters <file>', 'where records that cannot be scored go, one per line: reason, offset, value')
    .addOption(
      new Option('--limit <n>', 'stop after this many records')
        .argParser(whole)
        .default(Number.POSITIVE_INFINITY, 'all of them'),
    )
    .option('--resume', 'continue where an unfinished run stopped; start from the beginning if there was none', false)
    .option('--bookmark <file>', 'where it records its progress (default: OUTPUT.bookmark; for a topic: nowhere)')
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

Lines are plain JSON, as the topology's schemas describe them; an offset is a line number, from 0. An Avro container
is read by the schema in it, resolved to the topology's; it may be compressed with deflate, zstandard or snappy.
CSV has a header line; an empty field is missing. Of Parquet files only the needed columns are read.

A place in a topic is earliest, latest, an offset (1200), offsets by partition (0:1200,1:1350: only those partitions), -N for
the last N, a time ago (2h) or an ISO time. Its values are encoded as the topology says; no group is joined, nobody's position moves.
The partitions of a topic go to a file one after the other. Outputs to a topic have the key and the headers that \`run\` gives them.

Every five seconds it records its progress in OUTPUT.bookmark, which is removed at the end. --resume cuts the output there and
continues, if topology, model and input are unchanged; not with Parquet. A batch to a topic needs --bookmark for that.
Delivery to a topic is at least once, whatever flow.delivery says: --resume recognises what is published by its headers, but what
the broker was sent and had not appended by then comes twice, at most one request per partition.`,
    )
    .action(async (topology, options) => {
      const { batch } = await import('./batch.ts');
      done(await batch({ topology, ...options }, io));
    });
}
