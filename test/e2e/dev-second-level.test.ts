import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { project, start } from '../fixtures/dev.ts';

test('the second level of a cache is left out: nobody connects to its Redis, and an edit of a row shows at once', async (context) => {
  let connections = 0;
  const redis = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  context.after(() => redis.close());
  await once(redis, 'listening');
  const { port } = redis.address() as AddressInfo;
  const mine = project({
    topology: 'weather',
    features: true,
    edit: (text) =>
      text
        .replace(/ {2}bigtable: .*/, (line) => `${line}\n  redis: { url: "redis://127.0.0.1:${port}" }`)
        .replace('cache: { ', 'cache: { secondLevel: {}, '),
  });
  const reading = { id: 1, observed_at: 1_433_116_800_000, station: 'Tacoma', temp_max: 21, temp_min: 12, wind: 3 };
  writeFileSync(join(mine.folder, 'events.jsonl'), JSON.stringify(reading));
  const run = start(mine.file);
  assert.equal((await run.until('dead-letter')).reason, 'feature-missing');
  run.notice(mine.edit('"Seattle"', '"Tacoma"', join(mine.folder, 'features/station.jsonl')));
  const { value } = (await run.until('prediction')) as unknown as { value: { station: string } };
  assert.equal(value.station, 'Tacoma');
  run.signal('SIGINT');
  assert.equal(await run.ended, 0);
  assert.equal(connections, 0);
  const notes = run.told().flatMap(({ event, text }) => (event === 'note' ? [String(text)] : []));
  assert.match(notes[0], /names Redis as second level of the cache of table station; it is left out, .*/);
});
