import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FilterOptions, filterOf, isEverything } from '../../../../src/commands/dlq/filters.ts';
import { appendReplay } from '../../../../src/commands/dlq/sender.ts';
import { type Letter, letterOf, originalHeaders } from '../../../../src/commands/look/dead-letter.ts';
import { decodeHeaders } from '../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';

const NOW_MS = Date.UTC(2026, 5, 1, 12);

function letter(said: Readonly<Record<string, string>> = {}, more: readonly [string, string][] = []): Letter {
  const envelope = {
    topic: 'in',
    partition: '3',
    offset: '41',
    timestamp: '1700000000000',
    stage: 'decode',
    reason: 'decode-failed',
    attempts: '1',
    'first-seen': '2026-06-01T11:00:00.000Z',
    model: 'risk@2#0123456789ab',
    ...said,
  };
  const headers = [
    ...more.map(([name, value]) => ({ name, value: Buffer.from(value) })),
    ...Object.entries(envelope).map(([name, value]) => ({ name: `__dlq.errors.${name}`, value: Buffer.from(value) })),
  ];
  const record = { partition: 1, offset: 7, timestampMs: 5, key: Buffer.from('k'), value: Buffer.from('v'), headers };
  return letterOf(record) as Letter;
}

const holds = (options: FilterOptions, of = letter()): boolean => filterOf(options, NOW_MS)(of);

test('filters hold together, and each by itself', () => {
  assert.ok(holds({}) && isEverything({}) && !isEverything({ reason: 'decode-failed' }));
  for (const [yes, no] of [
    [{ reason: 'tombstone, decode-failed' }, { reason: 'tombstone' }],
    [{ stage: 'decode' }, { stage: 'infer' }],
    [{ source: 'in' }, { source: 'i' }],
    [{ source: 'in/3' }, { source: 'in/4' }],
    [{ source: 'in/3/41' }, { source: 'in/3/40' }],
    [{ source: 'in/3/40-41' }, { source: 'in/3/42-50' }],
    [{ partition: 1 }, { partition: 3 }],
    [{ since: '1h' }, { since: '59m' }],
    [{ until: '59m' }, { until: '1h' }],
    [{ since: '2026-06-01T11:00:00Z' }, { since: '2026-06-01T11:00:01Z' }],
    [{ model: 'risk@2' }, { model: 'risk@1' }],
    [{ key: 'k' }, { key: 'x' }],
    [{ attempts: 1 }, { attempts: 2 }],
  ]) {
    assert.equal(holds(yes), true, JSON.stringify(yes));
    assert.equal(holds(no), false, JSON.stringify(no));
    assert.equal(holds({ ...yes, ...no, stage: 'nowhere' }), false);
  }
});

test('a meaningless filter is a usage error that says what would be valid', () => {
  for (const [options, message] of [
    [{ reason: 'decode-faild' }, /"decode-faild" is no reason; one of decode-failed, /],
    [{ source: 'in/x' }, /"in\/x" is not TOPIC, TOPIC\/PARTITION/],
    [{ since: 'yesterday' }, /--since: "yesterday" is neither a time ago \(90s, 15m, 2h, 7d\)/],
    [{ until: '12' }, /--until: "12" is neither/],
  ] as const) {
    assert.throws(() => filterOf(options, NOW_MS), { code: 'usage-invalid', message });
  }
});

test("another system's record is not a dead letter", () => {
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { topic: '' },
    { reason: '' },
    { partition: 'x' },
    { offset: '-1' },
  ];
  for (const said of wrong) {
    assert.equal(letter(said), undefined, JSON.stringify(said));
  }
});

test('a replay is the record as it was, with one link to its first attempt', () => {
  const failedAgain = letter({ attempts: '2', 'first-attempt': 'in/3/5' }, [
    ['note', 'kept'],
    ['sluice-replay-of', 'in/3/5'],
    ['sluice-replay-attempt', '2'],
    ['sluice-replay-first-seen', '2026-06-01T11:00:00.000Z'],
    ['original.__dlq.errors.reason', 'spoofed'],
  ]);
  assert.deepEqual(
    originalHeaders(failedAgain).map(({ name }) => name),
    ['note', 'sluice-replay-of', 'sluice-replay-attempt', 'sluice-replay-first-seen', '__dlq.errors.reason'],
  );
  const rows = new RecordSlab(1, 64);
  appendReplay(failedAgain, rows);
  const headers = decodeHeaders(rows.arena.subarray(rows.headersStart[0], rows.headersEnd[0]));
  assert.deepEqual(
    headers.map(({ name, value }) => [name, value?.toString()]),
    [
      ['note', 'kept'],
      ['__dlq.errors.reason', 'spoofed'],
      ['sluice-replay-of', 'in/3/5'],
      ['sluice-replay-attempt', '3'],
      ['sluice-replay-first-seen', '2026-06-01T11:00:00.000Z'],
    ],
  );
  assert.equal(rows.timestamps[0], 1_700_000_000_000, 'the time of the record, not of its dead letter');
});
