import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runHere } from '../../../fixtures/io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-cases-'));
after(() => rmSync(folder, { recursive: true }));

const HELLO = 'topologies/hello.yaml';
const FLIGHTS = 'topologies/flight-delay.yaml';

let written = 0;
function file(text: string): string {
  const path = join(folder, `${written++}.cases.yaml`);
  writeFileSync(path, text);
  return path;
}

/** The result of one case of flight-delay, as `--json` says it. */
async function outcomeOf(entry: string, topology = FLIGHTS) {
  const { stdout } = await runHere(['test', topology, '--json', '--cases', file(`cases:\n  - name: one\n${entry}\n`)]);
  return JSON.parse(stdout).topologies[0].results[0].outcome;
}

const EVENT = '    event: { id: 1, departed_at: 991595400000, origin: DEN, destination: ORD, distance: 888 }';

test('the shipped cases pass', async () => {
  const { code, stdout, stderr } = await runHere(['test', FLIGHTS, HELLO]);
  assert.equal(code, 0, stdout);
  assert.match(stderr, /^(\d+) of \1 cases pass\n$/);
});

test('a case that fails says which field, what was expected, what came, and by how much', async () => {
  const cases = file(
    `cases:\n  - name: off\n    event: { id: 1, departed_at: 991595400000, distance: 888 }\n    expect: { id: 2, probability: 0.5 }\n`,
  );
  const { code, stdout, stderr } = await runHere(['test', HELLO, '--cases', cases]);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /✗ off {3}.*cases\.yaml:2:11\n {6}id {11}expected 2 ± 0\.00001, got 1, off by 1\n {6}probability {2}expected 0\.5 ± 0\.00001, got 0\.2855\d+, off by 0\.214\n/,
  );
  assert.equal(stderr, '0 of 1 cases pass, 1 fails: mend the bundle or the case; --update keeps what came out\n');
});

test('no case sees the rows of another, though the topology caches them', async () => {
  const rows = (share: number) => `    features: { airport: { DEN: { dep: { late_share: ${share} } } } }`;
  const cases = file(`cases:\n  - name: a\n${EVENT}\n${rows(0.1)}\n  - name: b\n${EVENT}\n${rows(0.9)}\n`);
  const { stdout } = await runHere(['test', FLIGHTS, '--json', '--cases', cases]);
  const [a, b] = JSON.parse(stdout).topologies[0].results;
  assert.notEqual(a.outcome.fields.probability, b.outcome.fields.probability);
});

test('rows are as old as the case says', async () => {
  const strict = join(folder, 'strict.yaml');
  const text = readFileSync(FLIGHTS, 'utf8')
    .replace('onStale: use', 'onStale: dead-letter')
    .replaceAll(/(models|schemas)\//g, `${process.cwd()}/$1/`);
  writeFileSync(strict, text);
  const row = `    features: { route: { "DEN#ORD": { slots: { n: [${Array(96).fill(1)}], l: [${Array(96).fill(0)}] } } } }`;
  const at = (time: string) =>
    `${EVENT}\n${row}\n    at: ${time}\n    ages: { route: { slots: 2001-06-01T00:00:00Z } }`;
  assert.equal((await outcomeOf(at('2001-06-07T00:00:00Z'), strict)).fate, 'published');
  assert.equal((await outcomeOf(at('2001-06-09T00:00:00Z'), strict)).fate, 'dead-lettered');
  assert.equal((await outcomeOf(`${EVENT}\n${row}\n    ages: { route: { slots: 6d } }`, strict)).fate, 'published');
  assert.deepEqual(await outcomeOf(`${EVENT}\n${row}\n    ages: { route: { slots: 8d } }`, strict), {
    fate: 'dead-lettered',
    reason: 'feature-stale',
    stage: 'enrich',
  });
});

test('a row of a family that is NaN is no row of it, and numbers are those of packed cells', async () => {
  const shareOf = async (share: string) =>
    outcomeOf(`${EVENT}\n    features: { airport: { DEN: { dep: { late_share: ${share} } } } }`);
  assert.deepEqual(await shareOf('.nan'), await outcomeOf(EVENT));
  assert.deepEqual(await shareOf('0.1'), await shareOf(String(Math.fround(0.1))));
  assert.equal((await shareOf('.inf')).reason, 'feature-not-finite');
});

test('the nearest tolerance counts: that of the field, of the case, of the file', async () => {
  const codeOf = async (file_: string, case_: string, field: string) => {
    const cases = `${file_}\ncases:\n  - name: one\n${EVENT}\n${case_}\n    expect: { probability: { value: 0.3${field} } }\n`;
    return (await runHere(['test', HELLO, '--cases', file(cases)])).code;
  };
  assert.equal(await codeOf('', '', ''), 1);
  assert.equal(await codeOf('tolerance: 0.1', '', ''), 0);
  assert.equal(await codeOf('tolerance: 0.1', '    tolerance: 0.001', ''), 1);
  assert.equal(await codeOf('tolerance: 0.1', '    tolerance: 0.001', ', tolerance: 0.1'), 0);
});

test('--only runs the named cases; one that is not there is an error that says which are', async () => {
  const one = await runHere(['test', HELLO, '--only', 'a tombstone is passed over']);
  assert.equal(one.stderr, '1 of 1 cases pass\n');
  const none = await runHere(['test', HELLO, '--only', 'a tombstone is past over']);
  assert.equal(none.code, 2);
  assert.match(
    none.stderr,
    /there is no case "a tombstone is past over"; did you mean "a tombstone is passed over"\? The cases are /,
  );
});

test('--update writes what came out, and the cases pass then', async () => {
  const cases = file(`cases:\n  # kept\n  - name: one\n${EVENT}\n    expect: { probability: 1 }\n`);
  assert.equal((await runHere(['test', HELLO, '--cases', cases])).code, 1);
  assert.ok(readFileSync(cases, 'utf8').includes('probability: 1 }'), 'not written unasked');
  const updated = await runHere(['test', HELLO, '--cases', cases, '--update']);
  assert.equal(updated.code, 0);
  assert.match(updated.stderr, /1 written as they came out/);
  assert.match(readFileSync(cases, 'utf8'), /# kept\n.*\n.*\n {4}expect: \{ probability: 0\.2855\d+ \}\n$/);
  assert.equal((await runHere(['test', HELLO, '--cases', cases])).code, 0);
});

const MISTAKES: readonly (readonly [name: string, entry: string, says: RegExp])[] = [
  [
    'an unknown key',
    `${EVENT}\n    expects: { p: 1 }`,
    /4:5 cases\[0\]\.expects: unknown key "expects"; did you mean "expect"/,
  ],
  [
    'an unknown table',
    `${EVENT}\n    features: { rout: {} }`,
    /4:17 .*reads no table "rout"; did you mean "route"\?\n[\s\S]*read here: airport, route/,
  ],
  [
    'an unknown family',
    `${EVENT}\n    features: { airport: { DEN: { deep: { x: 1 } } } }`,
    /reads no family "deep" of table "airport"; did you mean "dep"/,
  ],
  ['an unknown column', `${EVENT}\n    features: { airport: { DEN: { dep: { late: 1 } } } }`, /reads no column "late"/],
  [
    'a narrow list',
    `${EVENT}\n    features: { route: { a: { slots: { n: [1] } } } }`,
    /is a list of 1\n[\s\S]*write a list of 96/,
  ],
  [
    'a text for a number',
    `${EVENT}\n    features: { airport: { DEN: { dep: { late_share: x } } } }`,
    /"x" is neither a number nor a list/,
  ],
  ['a tolerance without end', `${EVENT}\n    tolerance: .inf`, /tolerance: Infinity is not a tolerance/],
  [
    'an unknown output',
    `${EVENT}\n    expect: { probabilty: 1 }`,
    /publishes no field "probabilty"; did you mean "probability"/,
  ],
  ['an unknown reason', `${EVENT}\n    expect: { deadLetter: decode }`, /"decode" is not one of decode-failed, /],
  [
    'two fates',
    `${EVENT}\n    expect: { deadLetter: tombstone, dropped: true }`,
    /deadLetter is not the only expectation/,
  ],
  ['nothing expected', `${EVENT}\n    expect: {}`, /expects nothing/],
  ['no record', '    expect: { dropped: true }', /2:5 cases\[0\]: has no record|has no record/],
  ['two records', `${EVENT}\n    value: x`, /has two records, event and value/],
  [
    'an age without unit',
    `${EVENT}\n    ages: { route: { slots: 8 } }`,
    /8 is neither an age with its unit nor a time/,
  ],
  ['a time without zone', `${EVENT}\n    at: 2001-06-03`, /is not a time with its zone/],
  ['NaN in a record', '    event: { id: 1, departed_at: .nan }', /NaN cannot be written in JSON/],
  ['a number that is not kept', '    event: { id: 9007199254740993 }', /is a whole number too large to be exact/],
];

for (const [name, entry, says] of MISTAKES) {
  test(`a broken file is found at its line, with a remedy: ${name}`, async () => {
    const cases = file(`cases:\n  - name: one\n${entry}\n`);
    const { code, stderr, stdout } = await runHere(['test', FLIGHTS, '--cases', cases]);
    assert.equal(code, 2, stdout + stderr);
    assert.match(stderr, says);
    assert.match(stderr, /cases\.yaml:\d+:\d+ /);
  });
}

test('a missing file and a misuse say what to do', async () => {
  const none = await runHere(['test', HELLO, '--cases', join(folder, 'none.yaml')]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /there is no file .*none\.yaml\n[\s\S]*write the cases of topologies\/hello\.yaml there/);
  const empty = await runHere(['test', HELLO, '--cases', file('\n')]);
  assert.match(empty.stderr, /cases\.yaml:1:1 is empty/);
  const two = await runHere(['test', HELLO, FLIGHTS, '--cases', 'x.yaml']);
  assert.equal(two.code, 2);
  assert.match(two.stderr, /--cases FILE belongs to one topology/);
});

test('a field that the schema has not is warned of', async () => {
  const cases = file(
    'cases:\n  - name: one\n    event: { id: 1, departed_at: 0, distanse: 3 }\n    expect: { id: 1 }\n',
  );
  const { code, stderr } = await runHere(['test', HELLO, '--cases', cases]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: .*has no field "distanse"; did you mean "distance"/);
});
