/** Plays one scenario in a process of its own: `node test/faults/mutants/main.ts NAME`; the account is a JSON line. */
import { playScenario } from './scenarios.ts';

const account = await playScenario(process.argv[2]);
process.stdout.write(`${JSON.stringify({ ...account, duplicates: account.duplicates.count })}\n`, () =>
  process.exit(0),
);
