import type { Command } from 'commander';
import { brokers } from '../arguments.ts';
import type { Io } from '../io.ts';

/** `sluice doctor`; `done` is told the exit code. */
export function addDoctor(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('doctor')
    .argument('[topology]', 'topology file; without it, only this machine and what is named here is checked')
    .description('Checks this machine, and everything that a topology needs; says what is missing, and what to do.')
    .option('--brokers <list>', 'host:port,… instead of those of the topology', brokers)
    .option('--registry <url>', 'schema registry instead of that of the topology')
    .option('--json', 'the findings as JSON', false)
    .addHelpText(
      'after',
      `
What is checked:
  node, onnx    versions; providers, and each library that they load
  cuda          with device: cuda a missing library is a problem, else a note: the CPU needs none
  model         is loaded and run on zeros, on the device that \`sluice run\` would give it
  broker        each address; the addresses that brokers name themselves, which clients are sent to
  topic, group  that they are there, have leaders, and that this user may read or write them
  registry      that it answers, and knows the schemas; store: tables and families
  redis         where rows come from it or are kept in it: each address, its certificate, what this user may do,
                maxmemory-policy, the slots of a cluster
  clock         beside the registry's, and beside the dates of records

Nothing is written, no group is joined, no topic or schema is made. One line per finding: ok, note, warning or problem,
what was found, and what to do. Exit code 0 when all is well, 1 with a warning or a problem, 2 for an invalid topology.

Examples:
  $ sluice doctor                                      this machine
  $ sluice doctor topologies/flight-delay.yaml         and all that this pipeline needs
  $ sluice doctor --brokers kafka:9092 --json`,
    )
    .action(async (topology, options) => {
      const { doctor } = await import('../doctor.ts');
      done(await doctor({ topology, ...options }, io));
    });
}
