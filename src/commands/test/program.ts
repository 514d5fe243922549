import type { Command } from 'commander';
import type { Io } from '../io.ts';

const HELP = `
A case is a record, the feature rows it finds, and what must become of it:
  cases:
    - name: a route that the store does not know
      event: { id: 1, departed_at: 991563000000, origin: DEN, destination: XXQ, distance: 888 }
      features: { airport: { DEN: { dep: { late_share: 0.184 } } } }
      expect: { probability: 0.1076, band: low }       # or { deadLetter: decode-failed }, { dropped: true }

Example:
  $ sluice test topologies/flight-delay.yaml --only "a route that the store does not know"
Exit codes: 0 all pass   1 a case fails   2 a file is broken, or there is none`;

/** `sluice test`. `done` is told the exit code. */
export function addTest(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('test')
    .argument('<topology...>', 'topology files; the cases of NAME.yaml are in NAME.cases.yaml beside it')
    .description(
      'Runs records and feature rows through the whole path, without a broker: is every prediction as expected?',
    )
    .option('--cases <file>', 'another file of cases, for one topology')
    .option(
      '--only <name>',
      'only this case; may be repeated',
      (name: string, before: string[]) => [...before, name],
      [],
    )
    .option('--update', 'write the actual outcomes into the file as expectations', false)
    .option('--json', 'results as JSON on standard output', false)
    .addHelpText('after', HELP)
    .action(async (topologies, options) => {
      const { runTest } = await import('./test.ts');
      done(await runTest({ topologies, ...options }, io));
    });
}
