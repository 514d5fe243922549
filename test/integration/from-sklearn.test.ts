/** tools/from_sklearn.py with the scikit-learn of tools/requirements.txt: what it exports predicts what the pipeline predicted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT, Sluice } from '../fixtures/sluice.ts';

const exec = promisify(execFile);
/** Python writes its bytecode beside the source: not into this tree. */
const run = (file: string, args: string[], options: { maxBuffer?: number } = {}) =>
  exec(file, args, { ...options, env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
const HELD_OUT = 500;
const TOLERANCE = 1e-5;

let python: string;
let out: string;

before(async () => {
  python = await installed();
  out = await mkdtemp(join(tmpdir(), 'sluice-sklearn-'));
  await run(python, ['-W', 'ignore', join(ROOT, 'test/fixtures/sklearn/train.py'), out]);
});

after(async () => {
  if (out !== undefined) await rm(out, { recursive: true, force: true });
});

/** A Python with the packages, kept in the cache from run to run beside the other services' files. */
async function installed(): Promise<string> {
  const requirements = join(ROOT, 'tools/requirements.txt');
  const key = createHash('sha256').update(await readFile(requirements));
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sluice');
  const folder = join(cache, `sklearn-${key.digest('hex').slice(0, 12)}`);
  const done = join(folder, 'done');
  if (existsSync(done)) return join(folder, 'bin/python');
  await mkdir(cache, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  try {
    await run('python3', ['-m', 'venv', folder]);
  } catch (error) {
    throw new Error('there is no python3 that can make a venv: apt-get install python3-venv', { cause: error });
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
  await run(join(folder, 'bin/python'), pip, { maxBuffer: 1 << 26 });
  await mkdir(join(folder, 'making'));
  await rename(join(folder, 'making'), done);
  return join(folder, 'bin/python');
}

async function sluice(...args: string[]): Promise<Sluice> {
  const child = new Sluice(args, {});
  assert.equal(await child.ended, 0, child.stderr);
  return child;
}

async function lines(name: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(out, name), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function close(given: unknown, wanted: unknown, told: string): void {
  const [a, b] = [[given].flat() as number[], [wanted].flat() as number[]];
  assert.equal(a.length, b.length, told);
  for (const [k, x] of a.entries()) {
    assert.ok(Math.abs(x - b[k]) <= TOLERANCE * Math.max(1, ...b.map(Math.abs)), `${told}: ${a}, not ${b}`);
  }
}

/** The prediction that stands for scikit-learn's score. */
const SCORES: Readonly<Record<string, (row: Record<string, unknown>) => unknown>> = {
  kinds: ({ probabilities }) => probabilities,
  value: ({ value }) => value,
  ties: ({ probability }) => [1 - (probability as number), probability],
  large: ({ values }) => values,
  histograms: ({ value }) => value,
  bare: ({ probability }) => [1 - (probability as number), probability],
};

for (const [name, scoreOf] of Object.entries(SCORES)) {
  test(`the pipeline "${name}" passes the check, golden records too, and predicts as scikit-learn does`, async () => {
    const topology = join(out, `${name}.yaml`);
    const check = await sluice('check', topology);
    assert.match(check.stdout + check.stderr, /golden/);
    await sluice(
      'batch',
      topology,
      '--input',
      join(out, `${name}.records.jsonl`),
      '--output',
      join(out, `${name}.out`),
    );
    const [given, expected] = [await lines(`${name}.out`), await lines(`${name}.expected.jsonl`)];
    assert.deepEqual([given.length, expected.length], [HELD_OUT, HELD_OUT]);
    for (const [i, row] of given.entries()) {
      close(scoreOf(row), expected[i].score, `${name}, record ${i}`);
      if ('class' in row) assert.equal(row.class, expected[i].class, `${name}, record ${i}`);
    }
  });
}

test('fields are of the types that senders write, and the golden records are events for dev', async () => {
  const event = JSON.parse(await readFile(join(out, 'schemas/kinds.avsc'), 'utf8')) as {
    fields: { name: string; type: unknown }[];
  };
  const types = new Map(event.fields.map(({ name, type }) => [name, type]));
  assert.deepEqual(
    [types.get('member'), types.get('month'), types.get('customer_id')],
    ['boolean', 'double', 'string'],
  );
  const ids = event.fields.filter(({ name }) => name === 'customer_id');
  assert.equal(ids.length, 1, 'an id that the pipeline was fitted with is one field');
  const [golden, events] = await Promise.all([lines('models/kinds/1/golden.jsonl'), lines('kinds.events.jsonl')]);
  assert.deepEqual(
    events,
    golden.map((record) => record.event),
  );
  assert.equal(typeof events[0].member, 'boolean');
});

test('what has no expression is refused by name, with what to do', async () => {
  const said = JSON.parse(await readFile(join(out, 'refusals.json'), 'utf8')) as Record<string, string>;
  assert.match(said.pca, /the transformer PCA has no expression; use one of Binarizer, .*StandardScaler/);
  assert.match(said.function, /FunctionTransformer\(<lambda>\) has no expression; use one of numpy's log1p/);
  assert.match(said.cluster, /KMeans, neither classifies nor regresses; end the pipeline/);
  assert.match(
    said.gaps,
    /4 of 200 records reach HistGradientBoostingClassifier with a missing .* in a, t.*; put SimpleImputer/,
  );
  assert.match(said.narrow, /tells values of t apart that are the same in float32.*; shift or scale the column first/);
  assert.match(
    said.contradicts,
    /Contrary predicts other classes than its probabilities say \(\d+ of 200 records\); wrap/,
  );
  assert.match(
    said.single,
    /RandomForestClassifier was fitted on one class, 'yes', and predicts no other; fit it on records of two classes/,
  );
  assert.match(said.converter, /skl2onnx converts HistGradientBoostingClassifier to a model that predicts otherwise/);
  assert.match(said.unfitted, /the Pipeline is not fitted; call fit before/);
  assert.match(said.moment, /the column when holds values of type Timestamp; make them numbers/);
  assert.match(said.holes, /the column b has None here and NaN there.*; make it one of both/);
  assert.match(said.normal, /output_distribution='normal'.*; use 'uniform'/);
});

test('the command line writes the same bundle, and refuses with exit code 2', async () => {
  const tool = join(ROOT, 'tools/from_sklearn.py');
  const files = [join(out, 'value.joblib'), join(out, 'value.csv')];
  const named = ['--name', 'value', '--out', join(out, 'again'), '--id', 'customer id'];
  const { stdout } = await run(python, ['-W', 'ignore', tool, ...files, ...named]);
  assert.match(
    stdout,
    /next: sluice check .*value\.yaml, then sluice dev .*value\.yaml --events .*value\.events\.jsonl/,
  );
  const [one, other] = await Promise.all(
    [out, join(out, 'again')].map((folder) => readFile(join(folder, 'models/value/1/bundle.yaml'), 'utf8')),
  );
  assert.equal(one, other);
  const wrong = run(python, ['-W', 'ignore', tool, ...files, ...named.slice(0, -1), 'nowhere']);
  await assert.rejects(wrong, { code: 2, stderr: /X has no column nowhere for the id; name one of customer id, age/ });
  const told = async (args: string[], stderr: RegExp) =>
    assert.rejects(run(python, ['-W', 'ignore', tool, ...args]), { code: 2, stderr });
  await Promise.all([
    told(
      [join(out, 'none.joblib'), files[1], '--name', 'a'],
      /there is no file .*none\.joblib; give what joblib\.dump made/,
    ),
    told([files[1], files[1], '--name', 'a'], /value\.csv cannot be read \(.*; give what joblib\.dump made/),
    told([...files, '--name', 'my model'], /'my model' is no name of a bundle; use letters/),
    told([...files, '--name', 'a', '--version', '../b'], /'\.\.\/b' is no version of a bundle/),
  ]);
});
