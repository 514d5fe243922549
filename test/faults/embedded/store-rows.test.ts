import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadFault } from '../../../src/devstack/bigtable.ts';
import { framed } from '../../fixtures/upstream.ts';
import { audit, describeViolations, untilDrained } from '../ledger.ts';
import { openReader } from '../read-apart.ts';
import { record } from '../report.ts';
import { eventTypes, expectedScore, scoreType, TOPICS } from './pipeline.ts';
import { openStage } from './stage.ts';

const SOON_MS = 45_000;

test('row 16: streams that break off, cells that lie, huge cells and rows that are not there: missing, never wrong', {
  timeout: 150_000,
}, async (context) => {
  const faults: ReadFault[] = [{ afterRows: 1 }, { afterRows: 0 }, { afterRows: 2, code: 14 }];
  const broken = faults.length;
  const stage = await openStage(16, { onRead: () => faults.shift() });
  context.after(async () => {
    for (const { runner } of stage.members) runner.stop();
    await Promise.all(stage.members.map(({ outcome }) => outcome));
    await stage.close();
  });
  // One number is what the name says: three of them, and a megabyte of them, are not it.
  await stage.features([['k1', [7, 7, 7]]]);
  await stage.features([['k2', new Array<number>(262_144).fill(7)]]);
  await stage.features([['k4', [7]]], 'somebody_elses');
  const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'];
  const extra = { extra_a: 0 };
  const messages = keys.map((key, id) => ({ value: framed(1, eventTypes[0].toBuffer({ id, key, x: 5, ...extra })) }));
  await stage.write(0, messages);
  const member = await stage.join();
  await untilDrained(stage.watched, SOON_MS);
  const reader = openReader(stage.watched.brokers);
  const scores = new Map<number, number>();
  for (const { value } of await reader.readOn(TOPICS.output)) {
    const { id, score } = scoreType.fromBuffer((value as Buffer).subarray(5));
    scores.set(Number(id), score);
  }
  await reader.close();
  const known = ['k0', 'k3'];
  for (const [id, key] of keys.entries()) {
    const expected = expectedScore(known.includes(key) ? key : null, 5);
    assert.ok(Math.abs((scores.get(id) ?? Number.NaN) - expected) < 1e-5, `${key}: ${scores.get(id)}, not ${expected}`);
  }
  assert.equal(faults.length, 0);
  assert.ok(member.telemetry.eventsNamed('feature-cell-corrupt').length > 0, 'cells that lie are spoken of');
  const account = await audit(stage.watched, { maxDuplicates: 0 });
  assert.equal(describeViolations(account), '');
  assert.equal(account.deadLettered, 0);
  record({
    rows: [16],
    test: context.name,
    faults: { 'store-broken': broken, 'cell-corrupt': 2 },
    invariants: account.checked,
    duplicates: 0,
  });
});
