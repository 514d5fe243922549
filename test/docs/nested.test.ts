import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { runHere } from '../fixtures/io.ts';
import { fencesOf, ROOT, read } from './pages.ts';

/** The example of records inside an event, as the page of bundles has it, with the model of `hello` behind it. */
const PAGE = 'docs/reference/bundle.md';
const [, section] = read(PAGE).split('## Records inside an event');
const text = section.split('\n## ')[0];
const [schema, inputs, output, events] = fencesOf({ path: PAGE, text }).map(({ body }) => body);

const folder = mkdtempSync(join(tmpdir(), 'sluice-page-'));
after(() => rmSync(folder, { recursive: true }));
const bundle = join(folder, 'models', 'page', '1');
const topology = join(folder, 'page.yaml');

function write(): void {
  mkdirSync(bundle, { recursive: true });
  cpSync(join(ROOT, 'models/hello/1/model.onnx'), join(bundle, 'model.onnx'));
  const prediction = { probability: 'probability[0]' };
  writeFileSync(
    join(bundle, 'bundle.yaml'),
    stringify({ bundle: 'page', version: 1, model: 'model.onnx', ...parse(inputs), prediction }),
  );
  writeFileSync(join(folder, 'payment.avsc'), schema);
  const fields = [
    { name: 'id', type: 'long' },
    { name: 'customer', type: ['null', 'string'] },
    { name: 'probability', type: 'float' },
  ];
  writeFileSync(join(folder, 'scored.avsc'), JSON.stringify({ type: 'record', name: 'Scored', fields }));
  const said = parse(output) as { output: object };
  const made = {
    topology: 'page',
    source: { topics: ['payments'], group: 'page', value: { json: 'payment.avsc' } },
    model: { bundle: 'models/page' },
    output: { topic: 'scored', value: { json: 'scored.avsc' }, ...said.output },
    deadLetter: { topic: 'dead' },
  };
  writeFileSync(topology, stringify(made));
  writeFileSync(
    join(folder, 'events.jsonl'),
    (JSON.parse(events) as object[]).map((event) => JSON.stringify(event)).join('\n'),
  );
}

test('the example of records inside an event holds, and its events get the rows that the page says', async () => {
  write();
  const checked = await runHere(['check', topology]);
  assert.equal(checked.code, 0, checked.stderr);
  const rows = [...text.matchAll(/`(amount [^`]+)`/g)].map(([, row]) => row);
  assert.equal(rows.length, 2);
  for (const [k, row] of rows.entries()) {
    const input = ['--input', join(folder, 'events.jsonl'), '--line', String(k + 1)];
    const { stdout } = await runHere(['explain', topology, ...input]);
    assert.match(stdout.replaceAll(/ +/g, ' '), new RegExp(`row features: ${row}\n`));
    if (k === 0) assert.match(stdout, /publishes to scored, key 1: \{"id":1,"customer":"K-1"/);
  }
});
