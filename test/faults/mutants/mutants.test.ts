import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonLinesOf } from '../embedded/children.ts';
import type { Account } from '../judge.ts';
import { record } from '../report.ts';
import { inMutated, ROOT } from './copy.ts';
import { MUTANTS } from './mutants.ts';
import { SCENARIOS } from './scenarios.ts';

const LIMIT = { timeout: 180_000 };
/** Shipped code finishes, later on a slow machine; a mutant may never finish, and the ledger says so. */
const DRAINS_WITHIN_MS = { shipped: 60_000, mutated: 4_000 };

/** The ledger's account of a scenario, played by the code in `cwd` in a process of its own. */
async function accountOf(scenario: string, cwd: string, drainsWithinMs: number): Promise<Account> {
  const [account] = await jsonLinesOf<Account>({
    cwd,
    args: ['test/faults/mutants/main.ts', scenario, String(drainsWithinMs)],
    withinMs: LIMIT.timeout - 10_000,
  });
  return account;
}

describe('the ledger is exact for shipped code', { concurrency: 3 }, () => {
  for (const scenario of Object.keys(SCENARIOS)) {
    test(scenario, LIMIT, async () => {
      const { violations, samples } = await accountOf(scenario, ROOT, DRAINS_WITHIN_MS.shipped);
      assert.deepEqual(violations, []);
      assert.ok(samples > 0);
    });
  }
});

describe('the ledger catches', { concurrency: 3 }, () => {
  for (const mutant of MUTANTS) {
    test(`${mutant.what}: ${mutant.caughtBy.join(', ')}`, LIMIT, async (t) => {
      const { violations } = await inMutated(mutant, (folder) =>
        accountOf(mutant.scenario, folder, DRAINS_WITHIN_MS.mutated),
      );
      const named = new Set(violations.map(({ invariant }) => invariant as string));
      for (const invariant of mutant.caughtBy) assert.ok(named.has(invariant), JSON.stringify(violations, null, 2));
      record({ rows: [], test: t.name, faults: { mutant: 1 }, invariants: mutant.caughtBy });
    });
  }
});
