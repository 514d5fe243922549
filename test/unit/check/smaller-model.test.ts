import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { type Prepared, prepare } from '../../../src/check/prepare.ts';
import { check } from '../../../src/commands/check.ts';
import { formatFindings } from '../../../src/documents/finding.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { FILES, SIGNATURE, writeSample } from './sample.ts';

const BUNDLE = FILES['models/sample/1/bundle.yaml'];
/** Its first want is an event field that the model does not need. */
const SMALL = BUNDLE.replace('bundle: sample', 'bundle: small').replace(
  '    late: late\n    amount: event.amount ?? 0\n',
  '    amount: event.amount ?? 0\n    late: late\n',
);
const GOLDEN = `${BUNDLE}golden: golden.jsonl\n`;

/** The sample with a ladder that names models/small, which contains `bundle`; by default it does not exist. */
async function withSmall<T>(
  bundle: string | undefined,
  use: (topology: string, folder: string) => Promise<T>,
  ladder = 'smallerModel: models/small',
): Promise<T> {
  const { folder, remove } = writeSample({ 'topology.yaml': `${FILES['topology.yaml']}onOverload: { ${ladder} }\n` });
  try {
    if (bundle !== undefined) {
      mkdirSync(join(folder, 'models/small/1'), { recursive: true });
      writeFileSync(join(folder, 'models/small/1/bundle.yaml'), bundle);
      writeFileSync(join(folder, 'models/small/1/model.onnx'), FILES['models/sample/1/model.onnx']);
    }
    return await use(join(folder, 'topology.yaml'), folder);
  } finally {
    remove();
  }
}

const prepared = (bundle: string | undefined, ladder?: string): Promise<Prepared> =>
  withSmall(
    bundle,
    async (topology, folder) => {
      const made = await prepare(topology, { env: {}, runtime: { inspect: async () => SIGNATURE } });
      return { ...made, findings: made.findings.map((each) => ({ ...each, file: relative(folder, each.file) })) };
    },
    ladder,
  );

test('both bundles are compiled against one topology: they share the reads, and each has its own columns', async () => {
  const { plan, findings } = await prepared(SMALL);
  assert.ok(plan?.smaller, formatFindings(findings));
  assert.equal(plan.bundle.name, 'sample');
  assert.equal(plan.smaller.bundle.name, 'small');
  assert.equal(plan.smaller.topology, plan.topology);
  const shared = ({ reads }: Plan) => reads.map(({ table, views, rowWidth }) => ({ table, views, rowWidth }));
  assert.deepEqual(shared(plan.smaller), shared(plan));
  assert.notDeepEqual(plan.smaller.inputs.columnNames, plan.inputs.columnNames);
});

test('a smaller model that does not exist, or is the same model, is a mistake in the line that names it', async () => {
  const absent = await prepared(undefined);
  const [{ file, path, line }] = absent.findings;
  assert.deepEqual([absent.plan, file, path, line], [undefined, 'topology.yaml', 'onOverload.smallerModel', 29]);
  const same = await prepared(undefined, 'smallerModel: models/sample/1');
  assert.equal(same.plan, undefined);
  assert.match(formatFindings(same.findings), /onOverload\.smallerModel.*is the same bundle as model\.bundle/s);
});

test('mistakes in a bundle are reported in that bundle; mistakes in the topology are reported once', async () => {
  const broken = await prepared(SMALL.replace('event.amount ?? 0', 'event.amuont ?? 0'));
  assert.equal(broken.plan, undefined);
  assert.deepEqual(
    broken.findings.map(({ file }) => file),
    ['models/small/1/bundle.yaml'],
    formatFindings(broken.findings),
  );
  const without = await prepared(SMALL.replace('  band: ', '  bond: '));
  assert.match(formatFindings(without.findings), /output\.fields\.band.*the bundle predicts no "band".*models\/small/s);
});

test('larger batches must fit the model too', async () => {
  const fixed = SIGNATURE.inputs.map((input) => ({ ...input, shape: [1, 4] }));
  const runtime = { inspect: async () => ({ ...SIGNATURE, inputs: fixed }) };
  const found = await withSmall(undefined, async (topology, folder) => {
    const yaml = `${FILES['topology.yaml']}flow: { maxBatch: 1 }\n`;
    writeFileSync(topology, yaml);
    const alone = await prepare(join(folder, 'topology.yaml'), { env: {}, runtime });
    assert.ok(alone.plan, formatFindings(alone.findings));
    writeFileSync(topology, `${yaml}onOverload: { largerBatches: 64 }\n`);
    return prepare(join(folder, 'topology.yaml'), { env: {}, runtime });
  });
  assert.equal(found.plan, undefined);
  assert.match(formatFindings(found.findings), /takes exactly 1 rows per run/);
});

test('check replays the golden records of both bundles', async () => {
  const golden =
    '{"event":{"id":1,"tags":[],"curve":[]},"features":{},"expected":{"score":0.1,"band":"low"},"tolerance":0.1}\n';
  const replayed: string[] = [];
  const code = await withSmall(SMALL.replace(/$/, 'golden: golden.jsonl\n'), async (topology, folder) => {
    writeFileSync(join(folder, 'models/sample/1/bundle.yaml'), GOLDEN);
    for (const name of ['sample', 'small']) writeFileSync(join(folder, `models/${name}/1/golden.jsonl`), golden);
    return check(
      { topology, json: false },
      {
        env: {},
        runtime: { inspect: async () => SIGNATURE },
        stdout: (text) => replayed.push(text.split('\n')[0].replace(/#\w{12}/g, '')),
        stderr: (text) => replayed.push(text.trim()),
        async replay(plan) {
          replayed.push(plan.bundle.name);
          return [];
        },
      },
    );
  });
  assert.deepEqual(replayed, [
    'sample',
    'small',
    'sample with sample@1, when overloaded small@1',
    'the contract holds: 0 errors, 0 warnings; 2 golden records agree',
  ]);
  assert.equal(code, 0);
});
