import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { record } from '../report.ts';
import { jsonLinesOf } from './children.ts';
import { schedule } from './faults.ts';
import type { Played } from './play.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SEEDS = 12;
const AT_ONCE = '4';
/** What these seeds must have done to the world, or they show nothing. */
const KINDS = [
  'move-leader',
  'move-coordinator',
  'join',
  'stop',
  'die',
  'freeze',
  'truncate',
  'produce-unanswered',
  'commit-unanswered',
  'group-fenced',
  'fetch-refused',
  'connections-closed',
];

export type Line = Played & { readonly broken?: string };

describe('the nemesis of the embedded services', () => {
  test('row 36: seeded faults of every kind, members that come and go: the ledger is exact at the end', {
    timeout: 240_000,
  }, async (t) => {
    const lines = await jsonLinesOf<Line>({
      cwd: ROOT,
      args: ['test/faults/embedded/main.ts', '--from', '1', '--count', String(SEEDS), '--at-once', AT_ONCE],
      withinMs: 220_000,
    });
    assert.equal(lines.length, SEEDS);
    const injected: Record<string, number> = {};
    for (const line of lines)
      for (const [kind, n] of Object.entries(line.injected ?? {})) injected[kind] = (injected[kind] ?? 0) + n;
    record({
      rows: [36],
      test: t.name,
      faults: injected,
      invariants: lines[0].account?.checked,
      duplicates: lines.reduce((sum, { account }) => sum + (account?.duplicates.count ?? 0), 0),
      recoveryMs: lines.map(({ recoveryMs }) => recoveryMs),
      violations: lines.flatMap(({ violations = [], schedule: { seed } }) =>
        violations.map(({ invariant }) => `${invariant} seed ${seed}`),
      ),
    });
    for (const { schedule: plan, violations, broken, said } of lines) {
      const again = `node test/faults/embedded/main.ts --from ${plan.seed}`;
      assert.equal(broken, undefined, again);
      assert.deepEqual(violations, [], `${again}\n${JSON.stringify(plan)}\n${said?.join('\n')}`);
    }
    for (const kind of KINDS) assert.ok(injected[kind] > 0, `no seed injected ${kind}`);
  });

  test('a seed says what is done and when', () => {
    assert.deepEqual(schedule(7), schedule(7));
    assert.notDeepEqual(schedule(7).acts, schedule(8).acts);
  });
});
