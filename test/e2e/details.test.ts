import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { start } from '../fixtures/dev.ts';
import { runHere } from '../fixtures/io.ts';
import { OFFERS, type Shop, writeShop } from '../fixtures/shop.ts';

const shops: Shop[] = [];
after(() => {
  for (const shop of shops) shop.remove();
});

function shopWith(edit?: (yaml: string) => string): Shop {
  const shop = writeShop(edit);
  shops.push(shop);
  return shop;
}

const strict = (yaml: string): string =>
  yaml.replace('    cache: { entries: 1000 }\n', '    cache: { entries: 1000 }\n    onMissing: dead-letter\n');

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

async function batch({ topology, features, events }: Shop, ...more: string[]) {
  return runHere(['batch', topology, '--features', features, '--input', events, '--output', '-', ...more]);
}

test('batch: what is predicted is looked up, and what is not found is null', async () => {
  const { code, stdout, stderr } = await batch(shopWith());
  assert.equal(code, 0, stderr);
  assert.deepEqual(linesOf(stdout), OFFERS);
});

test('through the embedded Kafka and Bigtable comes what batch gives', async () => {
  const { topology, features, events } = shopWith();
  const run = start(topology, { exit: true, show: 1_000, features, events });
  assert.equal(await run.ended, 0, run.stdout.text + run.stderr.text);
  const streamed = run
    .told()
    .filter(({ event }) => event === 'prediction')
    .map(({ value }) => value as (typeof OFFERS)[number]);
  assert.deepEqual(
    streamed.sort((a, b) => a.id - b.id),
    OFFERS,
  );
});

test('onMissing: dead-letter: the record that finds no row dead-letters, and says where', async () => {
  const shop = shopWith(strict);
  const cases = join(shop.features, '../shop.cases.yaml');
  const event = (table: number) => `    event: { id: 1, shop: a, lamp: 0.5, chair: 0, table: ${table} }`;
  const rows = `    features: { item: { "a#lamp": { of: { price: 2, year: 1, size: [1, 2] } } } }`;
  writeFileSync(
    cases,
    `cases:
  - name: found
${event(0)}
${rows}
    expect: { item: lamp, price: 2, size: [1, 2], height: null }
  - name: not found
${event(1)}
${rows}
    expect: { deadLetter: details-missing }
`,
  );
  const { code, stdout, stderr } = await runHere(['test', shop.topology, '--cases', cases]);
  assert.equal(code, 0, stdout + stderr);
  const explained = await runHere([
    'explain',
    shop.topology,
    '--input',
    shop.events,
    '--line',
    '4',
    '--features',
    shop.features,
  ]);
  assert.match(
    explained.stdout,
    /details-missing in details: view item is missing \(table item, row a#table\); load it, or set onMissing to null/,
    explained.stdout + explained.stderr,
  );
  const fine = await runHere([
    'explain',
    shop.topology,
    '--input',
    shop.events,
    '--line',
    '1',
    '--features',
    shop.features,
  ]);
  assert.match(fine.stdout, /a#lamp[\s\S]*price[\s\S]*10\.5/);
});

test('check says what is looked up by what, and where fields come from', async () => {
  const { code, stdout, stderr } = await runHere(['check', shopWith().topology]);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /look-up item by \{shop\}#\{prediction\.item\} \(packed\)/);
  assert.match(stdout, /price +null \| double +details\.item\.price/);
});
