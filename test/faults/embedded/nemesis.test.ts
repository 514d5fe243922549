import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { record } from '../report.ts';
import { jsonLinesOf } from './children.ts';
import { schedule } from './faults.ts';
import type { Played } from './play.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SEEDS = 12;
const ONCE_SEEDS = 8;
const AT_ONCE = '4';
const LIMIT = { timeout: 240_000 };
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
const ONCE_KINDS = ['commit-in-doubt', 'transaction-refused', 'transaction-fenced', 'transaction-unanswered'];

export type Line = Played & { readonly broken?: string };

describe('the nemesis of the embedded services', () => {
  /** Plays seeds from the first on; all that they injected. */
  async function allHold(t: { readonly name: string }, seeds: number, flags: readonly string[]) {
    const lines = await jsonLinesOf<Line>({
      cwd: ROOT,
      args: ['test/faults/embedded/main.ts', '--from', '1', '--count', String(seeds), '--at-once', AT_ONCE, ...flags],
      withinMs: 220_000,
    });
    assert.equal(lines.length, seeds);
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
      const again = ['node test/faults/embedded/main.ts --from', plan.seed, ...flags].join(' ');
      assert.equal(broken, undefined, again);
      assert.deepEqual(violations, [], `${again}\n${JSON.stringify(plan)}\n${said?.join('\n')}`);
    }
    return injected;
  }

  test(
    'row 36: seeded faults of every kind, members that come and go: the ledger is exact at the end',
    LIMIT,
    async (t) => {
      const injected = await allHold(t, SEEDS, []);
      for (const kind of KINDS) assert.ok(injected[kind] > 0, `no seed injected ${kind}`);
    },
  );

  test(
    'rows 8 and 36: the same where members deliver exactly once: readers of committed records see nothing twice',
    LIMIT,
    async (t) => {
      const injected = await allHold(t, ONCE_SEEDS, ['--once']);
      for (const kind of ONCE_KINDS) assert.ok(injected[kind] > 0, `no seed injected ${kind}`);
    },
  );

  test('a seed says what is done and when', () => {
    assert.deepEqual(schedule(7), schedule(7));
    assert.notDeepEqual(schedule(7).acts, schedule(8).acts);
  });
});
