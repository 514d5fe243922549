import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import type { GoldenRecord } from '../../../../src/bundle/golden.ts';
import { prepare } from '../../../../src/check/prepare.ts';
import { replayGolden } from '../../../../src/commands/check/golden-records.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { Plan } from '../../../../src/plan/plan.ts';
import type { ModelRuntime } from '../../../../src/ports/model.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const runtime = createOnnxRuntime({ telemetry: new RecordingTelemetry() });

async function shipped(name: string): Promise<{ readonly plan: Plan; readonly golden: readonly GoldenRecord[] }> {
  const { plan, golden, findings } = await prepare(`topologies/${name}.yaml`, { env: {}, runtime });
  assert.ok(plan, JSON.stringify(findings));
  return { plan, golden };
}

const FLIGHTS = await shipped('flight-delay');

/** The findings of one golden record of the flights, changed. */
async function replayed(change: Partial<GoldenRecord>, of: ModelRuntime = runtime): Promise<string[]> {
  const record = FLIGHTS.golden.find(({ features }) => features.slots && features.origin);
  assert.ok(record);
  const findings = await replayGolden(FLIGHTS.plan, [{ ...record, line: 7, ...change }], of);
  for (const { file, line, severity } of findings) {
    assert.match(file, /models\/flight-delay\/1\/golden\.jsonl$/);
    assert.deepEqual([line, severity], [7, 'error']);
  }
  return findings.map(({ path, message }) => `${path}: ${message}`);
}

for (const name of ['flight-delay', 'hello']) {
  test(`the path says what the golden records of ${name} say`, async () => {
    const { plan, golden } = await shipped(name);
    assert.ok(golden.length >= 25);
    assert.deepEqual(await replayGolden(plan, golden, runtime), []);
  });
}

test('another expectation is a finding, where it is off by more than the tolerance', async () => {
  assert.match(
    (await replayed({ expected: { probability: 0.5 } }))[0],
    /^expected\.probability: the path says 0\.\d+, the golden record 0\.5$/,
  );
  assert.deepEqual(await replayed({ expected: { probability: 0.5 }, tolerance: 1 }), []);
  assert.match(
    (await replayed({ expected: { band: 'none' } }))[0],
    /^expected\.band: the path says "\w+", the golden record "none"$/,
  );
  assert.deepEqual(await replayed({ expected: { chance: 1 } }), ['expected.chance: the bundle predicts no "chance"']);
  assert.equal((await replayed({ expected: { probability: [0.5], band: 1 } })).length, 2);
});

test('where many records come out otherwise, five are shown and the rest is counted', async () => {
  const wrong = (count: number): Promise<readonly { message: string; line: number }[]> => {
    const records = FLIGHTS.golden.slice(0, count).map((record) => ({ ...record, expected: { band: 'none' } }));
    return replayGolden(FLIGHTS.plan, records, runtime);
  };
  assert.equal((await wrong(5)).length, 5);
  assert.equal((await wrong(6))[5].message, '1 more golden record disagrees');
  const many = await wrong(20);
  assert.equal(many.length, 6);
  assert.deepEqual([many[5].message, many[5].line], ['15 more golden records disagree', FLIGHTS.golden[5].line]);
});

test('an event or features that say something else come out otherwise', async () => {
  assert.equal((await replayed({ features: {} })).length, 1);
  assert.equal(
    (await replayed({ event: { id: 1, departed_at: 0, origin: 'A', destination: 'B', distance: 1 } })).length,
    1,
  );
});

test('an event that does not fit its schema is said not to be scored, by which fields, and the others are', async () => {
  assert.deepEqual(await replayed({ event: { id: 'text' } }), [
    'event.departed_at: the record is not scored: the value has no "departed_at", and the schema no default for it',
    'event.id: the record is not scored: "text" is no value for the field "id", long',
  ]);
  const [first, second] = FLIGHTS.golden;
  const findings = await replayGolden(FLIGHTS.plan, [{ ...first, event: {} }, second], runtime);
  assert.deepEqual(
    findings.map(({ line, path }) => [line, path]),
    [
      [first.line, 'event.departed_at'],
      [first.line, 'event.id'],
    ],
  );
  for (const { remedy } of findings) assert.match(remedy, /^write the event as .*flight-departed\.avsc says; /);
});

test('a few rows of many are asked alone, and no more of them than of very many', async () => {
  const { plan, golden } = await shipped('hello');
  const alone = async (rows: number): Promise<number> => {
    let runs = 0;
    const counting: ModelRuntime = {
      ...runtime,
      async load(options) {
        const session = await runtime.load(options);
        const run: typeof session.run = (feeds, count) => {
          if (count === 1) runs++;
          return session.run(feeds, count);
        };
        return { ...session, run };
      },
    };
    await replayGolden(plan, golden.slice(0, rows), counting);
    return runs;
  };
  const counts = await Promise.all([2, 8, 9, 15, 16, 17, 24].map(alone));
  assert.deepEqual(counts, [2, 8, 5, 8, 8, 6, 8]);
});

test('a feature of another width than the topology reads is said so, not taken for its neighbour', async () => {
  assert.deepEqual(
    await replayed({ features: { slots: { n: [1, 2], l: new Array(97).fill(0) }, origin: { late_share: [1, 2] } } }),
    [
      'features.origin.late_share: has 2 numbers, and the topology reads 1',
      'features.slots.n: has 2 numbers, and the topology reads 96',
      'features.slots.l: has 97 numbers, and the topology reads 96',
    ],
  );
});

test('a model that fails is a finding; whatever else fails is not', async () => {
  const failing = (error: Error): ModelRuntime => ({
    ...runtime,
    async load(options) {
      const session = await runtime.load(options);
      return { ...session, run: () => Promise.reject(error) };
    },
  });
  assert.deepEqual(await replayed({}, failing(new SluiceError('model-failed', 'out of bounds'))), [': out of bounds']);
  await assert.rejects(replayed({}, failing(new Error('broken'))), /broken/);
});

test('a model that mixes the rows of a batch is found, where it runs on batches at all', async () => {
  const { plan, golden } = await shipped('hello');
  /** Adds to each row what the others bring along. */
  const mixing: ModelRuntime = {
    ...runtime,
    async load(options) {
      const session = await runtime.load(options);
      const run = async (feeds: Parameters<typeof session.run>[0], rows: number) => {
        const outputs = await session.run(feeds, rows);
        return outputs.map(({ values, width }) => ({
          values: Float32Array.from(values as Float32Array, (value) => value + 0.01 * (rows - 1)),
          width,
        }));
      };
      return { ...session, run };
    },
  };
  const records = golden.slice(0, 3).map((record) => ({ ...record, tolerance: 1 }));
  assert.deepEqual(await replayGolden(plan, records, runtime), []);
  const [found, ...rest] = await replayGolden(plan, records, mixing);
  assert.deepEqual(rest, []);
  assert.match(found.file, /bundle\.yaml$/);
  assert.match(
    found.message,
    /^the model mixes the rows of a batch: its output "\w+" for one row is .* among 3 and .* alone$/,
  );
  assert.match(found.remedy, /export it for inference/);
  assert.deepEqual(await replayGolden(plan, records.slice(0, 1), mixing), [], 'one row has nobody to mix with');
  const { topology } = plan;
  const single = { ...plan, topology: { ...topology, flow: { ...topology.flow, maxBatch: 1 } } };
  assert.deepEqual(await replayGolden(single, records, mixing), []);
});
