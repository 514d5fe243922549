import { type Command, Option } from 'commander';
import { brokers, gather, whole, wholeOrZero } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice tail`; `done` is told the exit code. */
export function addTail(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('tail')
    .argument('<topic>', 'any topic')
    .description('The records of a topic as lines: decoded by the schema registry, filtered, from an offset or a time.')
    .option('--topology <file>', 'its connections, and for its own topics its schemas')
    .option('--brokers <list>', 'host:port,… in place of the topology’s, or of KAFKA_BROKERS', brokers)
    .option('--registry <url>', 'schema registry in place of the topology’s, or of SCHEMA_REGISTRY_URL')
    .option(
      '--from <place>',
      'earliest, latest, an offset, PARTITION:OFFSET,…, -N for the last N, a time ago (-10m) or an ISO time',
    )
    .addOption(new Option('--partition <n>', 'this one alone').argParser(wholeOrZero))
    .addOption(new Option('--limit <n>', 'so many records, then end').argParser(whole))
    .option('--where <test>', 'FIELD=VALUE, !=, <, >, <=, >=, ~ (contains), or header:NAME=VALUE; all hold', gather, [])
    .option('--key <text>', 'records with this key')
    .option('--follow', 'with --limit: wait until there are so many', false)
    .option('--exit', 'end where the topic ended when this began', false)
    .option('--json', 'a JSON object a record', false)
    .addHelpText(
      'after',
      `
A line is PARTITION:OFFSET, timestamp, key, value, headers. Without --from it begins with the last ten of each partition, or
with the last --limit of the topic; with a filter that shall end, with the earliest. Without --limit or --exit it goes on.
Values with a schema id in front are decoded by the registry, others are JSON, text or hex; what could not be decoded
says why. --json: topic, partition, offset, timestamp (ms), key, headers, value, schemaId; undecoded and valueBase64 where
it could not be decoded. Nobody's position moves: no group is joined, nothing is committed. Colours end with NO_COLOR=1.

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
