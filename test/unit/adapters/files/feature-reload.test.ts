import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createFeatureFiles } from '../../../../src/adapters/files/feature-files.ts';
import { FileReload } from '../../../../src/adapters/files/feature-reload.ts';
import { AGG, blank, sortedKeys } from '../../../contract/feature-store-parts.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

const row = (key: string, share: number): string => `${JSON.stringify({ key, agg: { late_share: share } })}\n`;

async function start(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const file = join(folder, 't.jsonl');
  writeFileSync(file, row('k', 1));
  const store = createFeatureFiles({ folder, reads: [{ table: 't', views: [AGG] }], reload: { clock, telemetry } });
  await store.open(['t']);
  t.after(() => store.close());
  let looks = 1;
  /** Timers are ours, files are not: a look has ended when the next one is waited for. */
  const look = async (): Promise<void> => {
    await clock.advance(2_000);
    await until('it was looked at', () => clock.timers === 1);
    looks++;
  };
  return {
    folder,
    file,
    clock,
    store,
    telemetry,
    look,
    looks: () => looks,
    twice: async () => {
      await look();
      await look();
    },
    async share(key = 'k'): Promise<number> {
      const into = blank(1, 2, 1);
      const read = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2, timeoutMs: 1_000 } as const;
      await store.read({ ...read, keys: sortedKeys([key]), into });
      return into.values[0];
    },
    count: (result: string) => telemetry.count('sluice_feature_file_reloads_total', { table: 't', result }),
    last: () => telemetry.events.at(-1),
  };
}

test('a file that changes is loaded again once it rests, whole, and is counted', async (t) => {
  const { file, share, look, count, last } = await start(t);
  await look();
  writeFileSync(file, row('k', 2));
  await look();
  assert.equal(await share(), 1, 'it may still be written');
  writeFileSync(file, row('k', 2) + row('l', 3));
  await look();
  assert.equal(await share(), 1, 'it was');
  await look();
  assert.deepEqual([await share(), await share('l')], [2, 3]);
  assert.equal(count('ok'), 1);
  assert.deepEqual(last(), { name: 'feature-file-reloaded', fields: { table: 't', file, rows: 2 } });
  await look();
  assert.equal(count('ok'), 1, 'and not again');
});

test('a file of the same size and time in another place is another file', async (t) => {
  const { file, share, twice } = await start(t);
  const { atime, mtime } = await stat(file);
  writeFileSync(`${file}.new`, row('k', 7));
  utimesSync(`${file}.new`, atime, mtime);
  renameSync(`${file}.new`, file);
  await twice();
  assert.equal(await share(), 7);
});

test('a file that cannot be used changes nothing, and is told once, with file and line, until it changes again', async (t) => {
  const { file, share, twice, count, telemetry, last } = await start(t);
  writeFileSync(file, `${row('k', 2)}{"key": "l", "agg": {"late_share": "high"}}\n`);
  await twice();
  await twice();
  assert.equal(await share(), 1);
  assert.equal(count('refused'), 1);
  assert.equal(telemetry.events.length, 1);
  assert.equal(last()?.name, 'feature-file-refused');
  assert.match(
    String(last()?.fields.reason),
    /t\.jsonl:2: agg\.late_share must be a number, it is the text "high"; write a number/,
  );
  writeFileSync(file, '');
  await twice();
  assert.equal(await share(), 1, 'an empty one would be features missing for all');
  assert.match(String(last()?.fields.reason), /t\.jsonl has no rows; write rows to it/);
  writeFileSync(file, row('k', 5));
  await twice();
  assert.equal(await share(), 5);
  assert.deepEqual([count('ok'), count('refused')], [1, 2]);
});

test('a file that is gone stays in use, and may come back packed', async (t) => {
  const { folder, file, share, look, twice, count, last } = await start(t);
  rmSync(file);
  await look();
  assert.equal(count('refused'), 0, 'it may come back at once');
  await twice();
  await twice();
  assert.equal(await share(), 1);
  assert.equal(count('refused'), 1);
  assert.match(String(last()?.fields.reason), /has neither t\.jsonl nor t\.jsonl\.gz for table "t"/);
  writeFileSync(join(folder, 't.jsonl.gz'), gzipSync(row('k', 9)));
  await twice();
  assert.equal(await share(), 9);
});

test('a file that changes while it is read is read again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = new FakeClock();
  const file = join(folder, 'x');
  const used: string[] = [];
  let meanwhile: string | undefined;
  writeFileSync(file, 'a');
  const reload = new FileReload<string>({ clock, telemetry: new RecordingTelemetry() });
  t.after(() => reload.close());
  await reload.begin({
    name: 'x',
    fileOf: () => file,
    async load() {
      const text = readFileSync(file, 'utf8');
      if (meanwhile !== undefined) writeFileSync(file, meanwhile);
      meanwhile = undefined;
      return text;
    },
    rowsOf: () => 1,
    use: (text) => void used.push(text),
  });
  const look = async (): Promise<void> => {
    await clock.advance(2_000);
    await until('it was looked at', () => clock.timers === 1);
  };
  writeFileSync(file, 'half of b');
  meanwhile = 'the whole of b';
  for (let n = 0; n < 4; n++) await look();
  assert.deepEqual(used, ['a', 'the whole of b']);
});

test('after it is closed nothing is looked at', async (t) => {
  const { store, clock } = await start(t);
  await store.close();
  assert.equal(clock.timers, 0);
});
