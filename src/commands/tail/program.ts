import { type Command, Option } from 'commander';
import { brokers, gather, whole, wholeOrZero } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice tail`; `done` is told the exit code. */
export function addTail(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('tail')
    .argument('<topic>', 'any topic')
    .description('Prints the records of a topic: decoded with the schema registry, filtered, from an offset or a time.')
    .option('--topology <file>', 'use its connections and, for its own topics, its schemas')
    .option('--brokers <list>', 'host:port,… instead of those of the topology or KAFKA_BROKERS', brokers)
    .option('--registry <url>', 'schema registry instead of that of the topology or SCHEMA_REGISTRY_URL')
    .option(
      '--from <place>',
      'earliest, latest, an offset, PARTITION:OFFSET,…, -N for the last N, a time ago (-10m) or an ISO time',
    )
    .addOption(new Option('--partition <n>', 'only this partition').argParser(wholeOrZero))
    .addOption(new Option('--limit <n>', 'end after this many records').argParser(whole))
    .option('--where <test>', 'FIELD=VALUE, !=, <, >, <=, >=, ~ (contains), or header:NAME=VALUE; all hold', gather, [])
    .option('--key <text>', 'records with this key')
    .option('--follow', 'with --limit: wait until there are that many', false)
    .option('--exit', 'end where the topic ended at the start', false)
    .option('--json', 'one JSON object per record', false)
    .addHelpText(
      'after',
      `
A line is PARTITION:OFFSET, timestamp, key, value, headers. Without --from it begins with the last ten of each partition, or
with the last --limit of the topic; with a filter and --limit or --exit, with the earliest. Without --limit or --exit it keeps following.
Values with a schema id in front are decoded with the registry, others are shown as JSON, text or hex; if decoding
fails, the reason is shown. --json: topic, partition, offset, timestamp (ms), key, headers, value, schemaId; undecoded and valueBase64 where
it could not be decoded. Nobody's position moves: no group is joined, nothing is committed. NO_COLOR=1 turns colours off.

Examples:
  $ sluice tail flights.delay-risk
  $ sluice tail flights.departed --from -10m --where origin=JFK --where 'distance>1000' --exit
  $ sluice tail flights.delay-risk --from earliest --where header:sluice-source=flights.departed/0/12 --limit 1
  $ sluice tail flights.dead-letter --topology topologies/flight-delay.yaml --limit 5 --json`,
    )
    .action(async (topic, options) => {
      const { tail } = await import('./tail.ts');
      done(await tail({ topic, ...options }, io));
    });
}
