import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FEATURES, TOPOLOGY } from '../contract/example-bench.ts';
import { editedExample } from '../fixtures/edited-example.ts';
import { type Ran, runHere } from '../fixtures/io.ts';

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const dir = mkdtempSync(join(tmpdir(), 'sluice-explain-'));
after(() => rmSync(dir, { recursive: true }));

const ofFile = (...args: string[]): Promise<Ran> => runHere(['explain', ...args, '--features', FEATURES]);

function lines(name: string, ...events: string[]): string {
  const file = join(dir, `${name}.jsonl`);
  writeFileSync(file, events.map((event) => `${event}\n`).join(''));
  return file;
}

test('a line of a file, without a broker or a store', async () => {
  const { code, stdout, stderr } = await ofFile(TOPOLOGY, '--input', EVENTS, '--line', '6');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^predicts {3}probability 0\.5294805 {2}band high$/m);
  assert.doesNotMatch(stdout, /^topic/m);
});

test('why a value is not finite: the line of the bundle, and what of it is missing', async () => {
  const strict = editedExample(
    dir,
    'strict',
    (yaml) => yaml,
    (bundle) => bundle.replace('atLeast(event.distance, 0) ?? 569', 'atLeast(event.distance, 0)'),
  );
  const file = lines(
    'strict',
    '{"id":1,"departed_at":991563000000,"origin":"JFK","destination":"IAH","distance":null}',
  );
  const { code, stdout, stderr } = await ofFile(strict, '--input', file, '--line', '1');
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^outcome {4}dead-letters to flights\.dead-letter, feature-not-finite in preprocess: column log_distance \(log1p\(atLeast\(event\.distance, 0\)\)\) is missing, or not a number; event\.distance is missing; \S+bundle\.yaml:\d+; give a default/m,
  );
});

test('why it is not decoded, or not encoded: the field', async () => {
  const keyed = editedExample(dir, 'keyed', (yaml) => yaml.replace('key: "{id}"', 'key: "{origin}"'));
  const file = lines(
    'fields',
    '{"id":1,"departed_at":1,"origin":7}',
    '{"id":1,"departed_at":1,"origin":null}',
    '{"id":1,',
    '{"departed_at":1}',
    '{"id":9007199254740993,"departed_at":9007199254740993}',
  );
  const outcome = async (line: string): Promise<string | undefined> =>
    /^outcome {4}(.*)$/m.exec((await ofFile(keyed, '--input', file, '--line', line)).stdout)?.[1];
  assert.match(
    String(await outcome('1')),
    /decode-failed in decode: field origin is not what \S+flight-departed\.avsc says: 7 is no value for the field "origin", /,
  );
  assert.match(
    String(await outcome('2')),
    /encode-failed in encode: output\.key \{origin\} has no value: event\.origin is missing/,
  );
  assert.match(
    String(await outcome('3')),
    /decode-failed in decode: its 8 bytes are no value of \S+flight-departed\.avsc/,
  );
  assert.match(
    String(await outcome('5')),
    /decode-failed in decode: field departed_at holds an integer beyond ±\(2\^53−1\), .*; use it only in keys and outputs/,
  );
  assert.match(
    String(await outcome('4')),
    /field id is not what .*: the value has no "id", and the schema no default for it$/,
  );
});

test('why a value is not finite: a column of a view, by way of a let', async () => {
  const bare = editedExample(
    dir,
    'bare',
    (yaml) => yaml.replace('onMissing: impute', 'onMissing: dead-letter'),
    (bundle) => bundle.replace('late: route.late_share ?? 0.2', 'late: route.late_share'),
  );
  const zeros = Array.from({ length: 96 }, () => 0);
  const features = join(dir, 'features');
  mkdirSync(features);
  const route = { key: 'JFK#IAH', agg: { late_share: null, mean_delay: 1, per_day: 1 }, slots: { n: zeros, l: zeros } };
  writeFileSync(join(features, 'route.jsonl'), JSON.stringify(route));
  writeFileSync(join(features, 'airport.jsonl'), '');
  const file = lines('bare', '{"id":1,"departed_at":991563000000,"origin":"JFK","destination":"IAH","distance":7}');
  const args = ['explain', bare, '--input', file, '--line', '1', '--features', features, '--json'];
  const { stdout, stderr } = await runHere(args);
  const { reason, why, lookUps } = JSON.parse(stdout || `"${stderr}"`);
  assert.equal(reason, 'feature-not-finite', stderr);
  assert.match(why, /^column route_late_share \(late\) is missing, or not a number; route\.late_share is missing; /);
  assert.equal(lookUps[2].views[0].columns.late_share, null);
});
