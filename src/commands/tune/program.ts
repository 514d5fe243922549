import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from '../io.ts';

/** `sluice tune`; `done` is told the exit code. */
export function addTune(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('tune')
    .argument('<topology>', 'topology file')
    .description(
      'Measures this machine and model, with no services running: the highest rate, what limits it, what to change.',
    )
    .option('--input <file>', "events as JSON Lines, .gz too, instead of the bundle's golden records")
    .addOption(new Option('--rate <n>', 'records a second to keep up with').argParser(positive))
    .addOption(new Option('--core-hour <price>', 'price of a core for an hour').argParser(positive))
    .addOption(new Option('--gpu-hour <price>', 'price of a GPU for an hour').argParser(positive))
    .addOption(
      new Option('--hit-ratio <share>', 'share of look-ups that caches answer')
        .argParser(share)
        .default(undefined, '0.9'),
    )
    .addOption(
      new Option('--zipf <exponent>', 'how unevenly keys are requested, with --keys; sizes caches').argParser(positive),
    )
    .addOption(new Option('--keys <n>', 'distinct keys of a cached look-up, with --zipf').argParser(whole))
    .addOption(
      new Option('--client-us <n>', 'CPU of the Kafka client per record, µs')
        .argParser(zeroOrMore)
        .default(undefined, 'measured against an embedded broker'),
    )
    .addOption(
      new Option('--hops-ms <n>', 'assumed time of a fetch and an acknowledged produce')
        .argParser(zeroOrMore)
        .default(5),
    )
    .addOption(
      new Option('--store-us <n>', "assumed CPU of the store's client per row, µs").argParser(zeroOrMore).default(10),
    )
    .addOption(new Option('--store-ms <n>', 'assumed time of a read of the store').argParser(zeroOrMore).default(5))
    .addOption(new Option('--seed <n>', 'of the simulation').argParser(whole).default(1))
    .option('--json', 'the report as JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sluice tune topologies/hello.yaml
  $ sluice tune topologies/flight-delay.yaml --zipf 0.99 --keys 1000000 --core-hour 0.04`,
    )
    .action(async (topology, options) => {
      const { tune } = await import('../tune.ts');
      done(await tune({ topology, ...options }, io));
    });
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('give a whole number, 1 or more.');
  return value;
}

function positive(text: string): number {
  const value = zeroOrMore(text);
  if (value === 0) throw new InvalidArgumentError('give a number above 0.');
  return value;
}

function zeroOrMore(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('give a number, 0 or more.');
  return value;
}

function share(text: string): number {
  const value = zeroOrMore(text);
  if (value > 1) throw new InvalidArgumentError('give a share, 0 to 1.');
  return value;
}
