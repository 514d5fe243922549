import { type Command, InvalidArgumentError, Option } from 'commander';
import { whole } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice bench`; `done` is told the exit code. */
export function addBench(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('bench')
    .argument('<topology>', 'topology file')
    .description(
      'Puts load on a pipeline that runs elsewhere, through its topics: latency at a rate, or the highest rate.',
    )
    .addOption(
      new Option('--rate <n>', 'records a second')
        .argParser(positive)
        .default(undefined, 'the highest is searched for'),
    )
    .addOption(
      new Option('--duration <time>', 'how long to hold each rate, such as 30s or 2m')
        .argParser(seconds)
        .default(undefined, '30s; 5s each in a search'),
    )
    .addOption(
      new Option('--warm-up <time>', 'load at the first rate before measuring')
        .argParser(secondsOrNone)
        .default(2, '2s'),
    )
    .addOption(new Option('--from <n>', 'records a second at which the search begins').argParser(positive).default(500))
    .option('--input <file>', 'events as JSON Lines, .gz too (default: generated from the schema)')
    .addOption(new Option('--seed <n>', 'of generated events').argParser(whole).default(1))
    .addOption(new Option('--wait <time>', 'how long to wait for a first answer').argParser(seconds).default(30, '30s'))
    .option('--write', "yes, write records into the topology's source topics", false)
    .option('--json', 'the report as JSON', false)
    .addHelpText(
      'after',
      `
Examples, with \`sluice run topologies/flight-delay.yaml\` running elsewhere:
  $ sluice bench topologies/flight-delay.yaml --write --rate 2000 --input examples/flight-delay/events-500.jsonl
  $ sluice bench topologies/flight-delay.yaml --write --input examples/flight-delay/events-500.jsonl

It refuses to write without --write. Records carry a sluice-bench header, and stay in the topics, as their predictions do.
Its exit code is 1 if nothing answers, or if the figures say more about the bench than about the pipeline.`,
    )
    .action(async (topology, options) => {
      const { bench } = await import('../bench.ts');
      const duration = options.duration ?? (options.rate === undefined ? 5 : 30);
      done(await bench({ topology, ...options, duration }, io));
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('give a number above 0.');
  return value;
}

function secondsOrNone(text: string): number {
  return text === '0' ? 0 : seconds(text);
}

function seconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const value = Number(number) * (unit === 'm' ? 60 : unit === 'ms' ? 0.001 : 1);
  if (!(value > 0)) throw new InvalidArgumentError('give a time such as 30s, 500ms or 2m.');
  return value;
}
