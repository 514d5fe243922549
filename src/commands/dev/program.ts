import { type Command, Option } from 'commander';
import { address, listenOf, port, wholeOrZero } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice dev`; `done` is told the exit code. */
export function addDev(root: Command, io: Io, done: (code: number) => void): void {
  const free = (option: string, what: string): Option =>
    new Option(option, what).argParser(port).default(0, 'one that is free');
  root
    .command('dev')
    .argument('<topology>', 'topology file')
    .description('Your own topology in embedded Kafka, registry and Bigtable; restarts when one of its files changes.')
    .option(
      '--features <dir>',
      'feature files, TABLE.jsonl or .gz (default: `features` beside the topology, or in examples/NAME)',
    )
    .option(
      '--events <file>',
      'JSON Lines, .gz too (default: `NAME.events.jsonl`, `events.jsonl` or .gz beside the topology, or in examples/NAME)',
    )
    .option('--rate <n>', 'events a second, 0 for as fast as possible', wholeOrZero, 0)
    .option('--loop', 'send the events again and again', false)
    .addOption(free('--kafka-port <n>', 'port of the embedded broker'))
    .addOption(free('--registry-port <n>', 'port of the embedded schema registry'))
    .addOption(free('--bigtable-port <n>', 'port of the embedded Bigtable'))
    .addOption(
      new Option('--listen <host:port>', 'console, metrics, health')
        .default('127.0.0.1:0', 'a port that is free')
        .argParser(address),
    )
    .option('--no-listen', 'no HTTP')
    .option('--show <n>', 'how many predictions and dead letters to show after each start', wholeOrZero, 5)
    .option('--exit', 'end when all events are settled, after checking that each was answered exactly once', false)
    .option('--json', 'progress as JSON lines on standard output', false)
    .addHelpText(
      'after',
      `
Everything that the topology needs is created: topics, tables with their families, schemas in the registry. Addresses in it are
not used. Topics and tables stay when the pipeline restarts; everything is in memory, and gone at the end. An edit that
does not work is reported, and the pipeline goes on as it was. Cases (NAME.cases.yaml) are tested after each start. Events go in once after each start, in the order of the file.

Exit codes with --exit: 0 every event was answered, 1 one was not, or could not be sent.

Examples:
  $ sluice dev topologies/hello.yaml --events examples/flight-delay/events-500.jsonl
  $ sluice dev topologies/flight-delay.yaml --events examples/flight-delay/events-500.jsonl --rate 50
  $ sluice dev topologies/hello.yaml --kafka-port 9092 --registry-port 8081`,
    )
    .action(async (topology, options) => {
      const { dev } = await import('./dev.ts');
      done(await dev({ topology, ...options, listen: listenOf(options.listen) }, io));
    });
}
