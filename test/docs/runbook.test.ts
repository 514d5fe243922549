import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALERTS } from '../../docs/tools/alerts.ts';
import { METRICS } from '../../src/telemetry/catalogue.ts';
import { EVENTS } from '../../src/telemetry/events.ts';
import { ROOT, read } from './pages.ts';

const PATH = 'docs/runbook.md';
const TEXT = read(PATH);
const CHAPTERS = TEXT.split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.slice(0, text.indexOf('\n')), text }));

test('every chapter says what one sees, what it means, what to do and not to do, and what shows it', () => {
  assert.ok(CHAPTERS.length >= 15);
  for (const { title, text } of CHAPTERS) {
    const parts = [...text.matchAll(/^(\*\*(?:You see|It means|Do|Do not)\*\*|\*Shown by\*) /gm)].map(
      ([, part]) => part,
    );
    assert.deepEqual(parts, ['**You see**', '**It means**', '**Do**', '**Do not**', '*Shown by*'], title);
  }
});

test('the tests that chapters name are there, by file and title', () => {
  for (const { title, text } of CHAPTERS) {
    const shown = text.slice(text.indexOf('*Shown by*'));
    const named = [...shown.matchAll(/`((?:test|deploy)\/[\w/.-]+)`(?:: "([^"]+)")?/g)];
    assert.ok(named.length > 0, title);
    for (const [, file, name] of named) {
      assert.ok(existsSync(join(ROOT, file)), `${title}: ${file}`);
      if (name !== undefined) assert.ok(read(file).includes(name), `${title}: ${file} has no "${name}"`);
    }
  }
});

test('metrics, events and alerts that chapters name exist', () => {
  const metrics = [...TEXT.matchAll(/`((?:sluice|process|nodejs)_[a-z_]+)/g)].map(([, name]) => name);
  assert.deepEqual(
    [...new Set(metrics)].filter((name) => !Object.hasOwn(METRICS, name)),
    [],
  );
  const alerts = new Set(ALERTS.map(({ alert }) => alert));
  for (const [, name] of TEXT.matchAll(/`(Sluice[A-Z]\w+)`/g)) assert.ok(alerts.has(name), name);
  for (const [, list] of TEXT.matchAll(/events? ((?:`[a-z-]+`(?:, | and )?)+)/g))
    for (const [, name] of list.matchAll(/`([a-z-]+)`/g)) assert.ok(Object.hasOwn(EVENTS, name), `event ${name}`);
});

test('every alert has its chapter, which names it', () => {
  for (const { alert, chapter } of ALERTS) {
    const found = CHAPTERS.find(({ title }) => title === chapter);
    assert.ok(found, `${alert}: no chapter ${chapter}`);
    if (alert !== 'SluiceNeverCatchesUp' && alert !== 'SluiceLagGrows' && alert !== 'SluiceCommitsFail')
      assert.ok(found.text.includes(`\`${alert}\``), `${chapter} does not name ${alert}`);
  }
});

test('keys of the topology that it names are in the schema', () => {
  const reference = readFileSync(join(ROOT, 'docs/reference/topology.md'), 'utf8');
  const keys = [...TEXT.matchAll(/`((?:flow|model|deadLetter|onOverload|source|output)\.[\w.]+)/g)].map(
    ([, key]) => key,
  );
  assert.ok(keys.length > 8);
  assert.deepEqual(
    keys.filter((key) => !reference.includes(`\`${key}\``)),
    [],
  );
});
