import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../fuzz.ts';
import { record } from '../report.ts';

const PAYLOADS = 120_000;

test('row 17: mutated payloads end nothing: none throws, none takes 50 ms, memory stays', async (context) => {
  const done = await fuzz({ seed: 17, goOn: (payloads) => payloads < PAYLOADS });
  context.diagnostic(JSON.stringify(done));
  assert.ok(done.taken > PAYLOADS / 100 && done.refused > PAYLOADS / 10, JSON.stringify(done));
  assert.ok(done.grownMiB < 96, `${done.grownMiB} MiB more than before`);
  record({ rows: [17], test: 'fuzz', faults: { payload: done.payloads }, invariants: ['I12'], seed: 17 });
});
