/** Plays one scenario in a process of its own: `node test/faults/mutants/main.ts NAME WAIT`, WAIT ms for the lag to drain; the account is a JSON line. */
import { playScenario } from './scenarios.ts';

const account = await playScenario(process.argv[2], Number(process.argv[3] ?? 30_000));
process.stdout.write(`${JSON.stringify({ ...account, duplicates: account.duplicates.count })}\n`, () =>
  process.exit(0),
);
