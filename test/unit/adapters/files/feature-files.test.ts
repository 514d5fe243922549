import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createFeatureFiles } from '../../../../src/adapters/files/feature-files.ts';
import { type FeatureRow, featureRowsOf, shapeOf } from '../../../../src/adapters/files/feature-rows.ts';
import type { ViewSpec } from '../../../../src/kernel/cells/views.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { blank, sortedKeys } from '../../../contract/feature-store-parts.ts';

const ROUTE: ViewSpec = {
  name: 'route',
  family: 'agg',
  columns: [
    { name: 'share', kind: 'number', width: 1, offset: 0 },
    { name: 'n', kind: 'vector', width: 2, offset: 1 },
  ],
};
const OTHER: ViewSpec = {
  name: 'other',
  family: 'agg',
  columns: [{ name: 'delay', kind: 'number', width: 1, offset: 3 }],
};
const READS = [{ table: 't', views: [ROUTE, OTHER] }];

function folderWith(t: { after(end: () => void): void }, files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-features-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

async function readRows(folder: string, keys: readonly string[]) {
  const store = createFeatureFiles({ folder, reads: READS });
  await store.open(['t']);
  const into = blank(keys.length, 4, 2);
  const read = { table: 't', layout: 'packed', views: READS[0].views, rowWidth: 4, timeoutMs: 1_000 } as const;
  await store.read({ ...read, keys: sortedKeys(keys), into });
  await store.close();
  return { values: [...into.values], writtenAtMs: [...into.writtenAtMs] };
}

const NONE = Number.NaN;

test('a view is there when any number of its family is, and its time is not said', async (t) => {
  const folder = folderWith(t, {
    't.jsonl':
      '{"key":"a","agg":{"share":0.1,"n":[1,null],"city":"x"},"geo":{"state":"PA"}}\n\n{"key":"b","agg":{"delay":2}}\n{"key":"c","agg":null}',
  });
  const { values, writtenAtMs } = await readRows(folder, ['a', 'b', 'c', 'd']);
  const expected = [
    [Math.fround(0.1), 1, NONE, NONE],
    [NONE, NONE, NONE, 2],
    [NONE, NONE, NONE, NONE],
    [NONE, NONE, NONE, NONE],
  ];
  assert.deepEqual(values, expected.flat());
  // One packed cell holds what the topology asks for of a family, so both views of it are there together.
  assert.deepEqual(writtenAtMs, [0, 0, 0, 0, NONE, NONE, NONE, NONE]);
});

test('a compressed file is read as a plain one, many rows too', async (t) => {
  const lines = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ key: `k${10_000 + i}`, agg: { delay: i } }));
  const folder = folderWith(t, { 't.jsonl.gz': gzipSync(`${lines.join('\n')}\n`) });
  const { values } = await readRows(folder, ['k10000', 'k11500', 'k12999', 'k13000']);
  assert.deepEqual([values[3], values[7], values[11], values[15]], [0, 1_500, 2_999, NONE]);
});

for (const [line, complaint] of [
  ['{"key":"a"', /t\.jsonl:2: not JSON/],
  ['[1]', /t\.jsonl:2: a line must be an object/],
  ['{"agg":{}}', /t\.jsonl:2: "key" must be a text of 1 to 4096 bytes/],
  ['{"key":7}', /"key" must be a text/],
  [`{"key":"${'x'.repeat(4_097)}"}`, /"key" must be a text/],
  ['{"key":"a","agg":3}', /t\.jsonl:2: "agg" must be an object/],
  ['{"key":"a","agg":{"share":"0.1"}}', /t\.jsonl:2: agg\.share must be a number, it is the text "0\.1"/],
  ['{"key":"a","agg":{"share":[1]}}', /agg\.share must be a number, it is a list/],
  ['{"key":"a","agg":{"n":1}}', /agg\.n must be a list of 2 numbers, it is of type number/],
  ['{"key":"a","agg":{"n":[1,2,3]}}', /t\.jsonl:2: agg\.n must have 2 numbers, it has 3/],
  ['{"key":"a","agg":{"n":[1,true]}}', /agg\.n must be a number, it is of type boolean/],
] as const) {
  test(`a line is refused with its place: ${line.slice(0, 40)}`, async (t) => {
    const folder = folderWith(t, { 't.jsonl': `{"key":"good"}\n${line}\n` });
    await assert.rejects(readRows(folder, ['a']), (error: SluiceError) => {
      assert.equal(error.code, 'file-invalid');
      assert.match(error.message, complaint);
      return true;
    });
  });
}

test('a file that is missing or damaged is named', async (t) => {
  const folder = folderWith(t, { 'bad.jsonl.gz': 'not gzip' });
  const store = createFeatureFiles({ folder, reads: [] });
  await assert.rejects(store.open(['t']), /has neither t\.jsonl nor t\.jsonl\.gz for table "t"/);
  await assert.rejects(store.open(['bad']), /cannot read .*bad\.jsonl\.gz after line 0/);
});

test('names that every object has are columns like others', async (t) => {
  const views = [
    { name: 'v', family: 'constructor', columns: [{ name: 'toString', kind: 'number', width: 1, offset: 0 }] },
  ] as const;
  const folder = folderWith(t, {
    't.jsonl': '{"key":"a"}\n{"key":"b","constructor":{}}\n{"key":"c","constructor":{"toString":1}}\n',
  });
  const found: number[] = [];
  const shape = shapeOf('t', [{ table: 't', views }]);
  for await (const row of featureRowsOf(join(folder, 't.jsonl'), shape) as AsyncIterable<FeatureRow>)
    found.push(row.values[0]);
  assert.deepEqual(found, [NONE, NONE, 1]);
});

test('a column that is asked for in two widths is refused', () => {
  const wider = { ...ROUTE, columns: [{ ...ROUTE.columns[1], width: 3 }] };
  assert.throws(() => shapeOf('t', [...READS, { table: 't', views: [wider] }]), SluiceError);
});
