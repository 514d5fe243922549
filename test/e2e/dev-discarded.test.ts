import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { project, start } from '../fixtures/dev.ts';
import { until } from '../fixtures/until.ts';

test('dev lets go of a pipeline that it opened and never ran, with the changelogs that it follows', async () => {
  const mine = project({
    topology: 'flight-delay',
    features: true,
    edit: (text) => text.replace('negativeTtl: 1m }', 'negativeTtl: 1m, invalidateBy: route.changes }'),
  });
  rmSync(join(mine.folder, 'events.jsonl'));
  const run = start(mine.file, { exit: true });
  await assert.rejects(run.ended, /there are none: give --events FILE/);
  assert.match(run.stdout.text, /route\.changes/, 'the changelog was there');
  const kept = (): string => process.getActiveResourcesInfo().join();
  await until('no timer and no connection is left', () => !/Timeout|TCPSocket/.test(kept()), 15_000);
});
