import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type CheckIo, check } from '../../../src/commands/check.ts';
import type { CheckFinding } from '../../../src/documents/finding.ts';
import { FILES, type FileName, SIGNATURE, writeSample } from '../check/sample.ts';

const BUNDLE = 'models/sample/1/bundle.yaml';

async function run(
  files: Partial<Record<FileName, string>>,
  json: boolean,
  io: Partial<CheckIo> = {},
  golden?: string,
) {
  const { folder, remove } = writeSample(files);
  let stdout = '';
  let stderr = '';
  try {
    if (golden !== undefined) writeFileSync(join(folder, 'models/sample/1/golden.jsonl'), golden);
    const code = await check(
      { topology: join(folder, 'topology.yaml'), json },
      {
        env: {},
        runtime: { inspect: async () => SIGNATURE },
        stdout: (text) => {
          stdout += text;
        },
        stderr: (text) => {
          stderr += text;
        },
        ...io,
      },
    );
    return { code, stdout: stdout.replaceAll(`${folder}/`, ''), stderr: stderr.replaceAll(`${folder}/`, '') };
  } finally {
    remove();
  }
}

test('a contract that holds: the summary on stdout, talk on stderr, exit 0', async () => {
  const { code, stdout, stderr } = await run({}, false);
  assert.equal(code, 0);
  assert.equal(stderr, 'the contract holds: 0 errors, 0 warnings\n');
  assert.equal(
    stdout.replace(/[0-9a-f]{12}/g, 'DIGEST'),
    `sample with sample@1#DIGEST

event fields
  amount  null | double  read as number
  origin  null | string  read as string
  id      long           read as long

look-up airport by {origin} (packed)
  origin  dep    late
  hist    slots  n[4]

model input features: float32 [rows, 4]
  late
  amount
  hist[2]

output out, key {id}
  id     long    event.id
  score  float   prediction.score
  band   string  prediction.band
  model  string  "DIGEST"
`,
  );
});

test('a contract that does not: findings as a compiler prints them on stderr, nothing on stdout, exit 2', async () => {
  const { code, stdout, stderr } = await run(
    { 'topology.yaml': FILES['topology.yaml'].replace('event.id', 'event.idd') },
    false,
  );
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.equal(
    stderr,
    `topology.yaml:24:9 output.fields.id: event.avsc has no field "idd"; did you mean "id"?
   24 |     id: event.idd
      |         ^
   its fields are id, origin, amount, tags, curve

1 error, 0 warnings
`,
  );
});

test('--json: one document on stdout, for either case', async () => {
  const good = await run({}, true);
  const { ok, findings, contract } = JSON.parse(good.stdout);
  assert.deepEqual([good.code, good.stderr, ok, findings], [0, '', true, []]);
  assert.deepEqual(contract.inputs, [
    { name: 'features', dtype: 'float32', rowShape: [4], columns: ['late', 'amount', 'hist[0]', 'hist[1]'] },
  ]);
  const bad = await run({ [BUNDLE]: FILES[BUNDLE].replace('version: 1', 'version: 2') }, true);
  const parsed = JSON.parse(bad.stdout);
  assert.deepEqual([bad.code, bad.stderr, parsed.ok, parsed.contract], [2, '', false, null]);
  assert.equal(parsed.findings[0].path, 'version');
});

const GOLDEN = '{"event":{"id":1},"expected":{"score":0.5}}\n';
const WITH_GOLDEN = { [BUNDLE]: `${FILES[BUNDLE]}golden: golden.jsonl\n` };

test('golden records are replayed; one that is off breaks the check', async () => {
  const off: CheckFinding = {
    code: 'file-invalid',
    severity: 'error',
    file: 'golden.jsonl',
    line: 1,
    column: 1,
    path: 'expected.score',
    message: 'is 0.7',
    remedy: 'look',
    excerpt: '',
  };
  const seen: number[] = [];
  const replay: CheckIo['replay'] = async (_plan, records) => {
    seen.push(records.length);
    return [];
  };
  const agrees = await run(WITH_GOLDEN, false, { replay }, GOLDEN);
  assert.deepEqual([agrees.code, seen], [0, [1]]);
  assert.match(agrees.stderr, /; 1 golden record agrees\n$/);
  const disagrees = await run(WITH_GOLDEN, false, { replay: async () => [off] }, GOLDEN);
  assert.equal(disagrees.code, 2);
  assert.match(disagrees.stderr, /golden\.jsonl:1:1 expected\.score: is 0\.7/);
});

test('a golden file without records is a warning', async () => {
  const { code, stderr } = await run(WITH_GOLDEN, false, {}, '\n');
  assert.equal(code, 0);
  assert.match(stderr, /golden\.jsonl:1:1 warning: no golden records: nothing proves this bundle/);
});

test('golden records that cannot be read break the check', async () => {
  const { code, stderr } = await run(WITH_GOLDEN, false, {}, '{"event":1}\n');
  assert.equal(code, 2);
  assert.match(stderr, /golden\.jsonl:1:\d+ event: 1 is not a map of fields/);
});
