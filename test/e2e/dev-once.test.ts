import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openReader } from '../faults/read.ts';
import { project, start } from '../fixtures/dev.ts';

test('delivery: exactly-once is that: outputs and positions in transactions, told once they are committed', async () => {
  const mine = project({ edit: (text) => text.replace('flow:', 'flow:\n  delivery: exactly-once') });
  const run = start(mine.file);
  const { env } = (await run.until('listening')) as unknown as { env: Record<string, string> };
  assert.equal((await run.until('settled')).published, 30);
  await run.until('prediction');
  const [seen, all] = (['committed', 'uncommitted'] as const).map((isolation) =>
    openReader(env.KAFKA_BROKERS, { isolation }),
  );
  const outputs = await seen.readOn('hello.late');
  assert.equal(outputs.length, 30);
  const ends = await all.bounds('hello.late');
  const markers = ends.reduce((sum, { end }) => sum + end, 0) - outputs.length;
  assert.ok(markers > 0, 'each transaction leaves a marker');
  const [inputs, committed] = [await all.bounds('hello.flights'), await all.committed('hello', 'hello.flights')];
  assert.deepEqual(
    committed.map((at) => Math.max(0, at)),
    inputs.map(({ end }) => end),
  );
  for (const reader of [seen, all]) await reader.close();
  run.signal('SIGINT');
  assert.equal(await run.ended, 0);
  assert.deepEqual(run.told().at(-1), { event: 'ended', inputs: 30, outputs: 30, deadLetters: 0 });
  assert.ok(!run.told().some(({ text }) => /at-least-once|transactions/.test(String(text))));
});
