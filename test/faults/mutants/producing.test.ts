import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonLinesOf } from '../embedded/children.ts';
import { record } from '../report.ts';
import { inMutated, ROOT } from './copy.ts';
import { PRODUCING_MUTANTS } from './producing-mutants.ts';
import { type PlayedScene, PRODUCING_SCENES } from './producing-scenes.ts';

const LIMIT = { timeout: 180_000 };

/** A scene, played by the code in `cwd` in a process of its own. */
async function play(scene: string, cwd: string): Promise<PlayedScene> {
  const [played] = await jsonLinesOf<PlayedScene>({
    cwd,
    args: ['test/faults/mutants/producing-main.ts', scene],
    withinMs: LIMIT.timeout - 10_000,
  });
  return played;
}

describe('producing keeps what it promises', { concurrency: 3 }, () => {
  for (const scene of Object.keys(PRODUCING_SCENES)) {
    test(scene, LIMIT, async () => {
      assert.deepEqual(await play(scene, ROOT), { violations: [], unstruck: 0 });
    });
  }
});

describe('the judge of producing catches', { concurrency: 3 }, () => {
  for (const mutant of PRODUCING_MUTANTS) {
    test(`${mutant.what}: ${mutant.caughtBy.join(', ')}`, LIMIT, async (t) => {
      const { violations } = await inMutated(mutant, (folder) => play(mutant.scene, folder));
      const named = new Set(violations.map(({ invariant }) => invariant));
      for (const invariant of mutant.caughtBy) assert.ok(named.has(invariant), JSON.stringify(violations, null, 2));
      assert.match(violations.map(({ what }) => what).join('\n'), mutant.says);
      record({ rows: [], test: t.name, faults: { mutant: 1 }, invariants: mutant.caughtBy });
    });
  }
});
