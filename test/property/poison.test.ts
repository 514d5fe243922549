import assert from 'node:assert/strict';
import { test } from 'node:test';
import avro from 'avsc';
import fc from 'fast-check';
import { assemble } from '../../src/assemble.ts';
import { bodiesOf } from '../../src/codecs/bodies.ts';
import { compileJsonEncoder } from '../../src/codecs/json/encoder.ts';
import type { ValueEncoder } from '../../src/codecs/types.ts';
import { confluentPrefix } from '../../src/codecs/wire.ts';
import { pause } from '../../src/kernel/clock.ts';
import type { LongColumn } from '../../src/kernel/columns.ts';
import { Credit } from '../../src/kernel/credit.ts';
import { OPEN } from '../../src/kernel/fate.ts';
import type { Frame } from '../../src/kernel/frame.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { FakeClock } from '../fixtures/clock.ts';
import { FakeSession, FakeSink, FakeSource, FakeStore, type Sent } from '../fixtures/fakes.ts';
import { frameOf } from '../fixtures/frames.ts';
import { EVENT_SCHEMA, OUTPUT_FIELDS, OUTPUT_SCHEMA, testPlan } from '../fixtures/plan.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { origin } from '../fixtures/world.ts';

/**
 * Records that a stage breaks on, anywhere in frames of any size, together with others that are odd in known ways: exactly
 * these become dead letters, and all others fare as in a run in which nothing breaks.
 */
const STAGES = ['decode', 'enrich', 'preprocess', 'postprocess', 'encode'] as const;
type BreakingStage = (typeof STAGES)[number];

interface TestEvent {
  readonly kind: 'good' | 'undecodable' | 'tombstone' | 'missing' | 'not-finite' | BreakingStage;
  readonly key: number;
}

interface Scene {
  /** Frames of partition f % 2. */
  readonly frames: readonly (readonly TestEvent[])[];
  readonly seed: number;
  readonly cached: boolean;
  readonly onMissing: 'impute' | 'dead-letter' | 'drop';
  /** Whether code breaks before or after it has done its work on the records before. */
  readonly late: boolean;
}

const EVENT = avro.Type.forSchema(EVENT_SCHEMA as avro.Schema);
const [GOOD_ID, BREAKING_ID] = [1, 13];
const BREAKING_KEYS = ['breaks-first', 'breaks-second'];

const event = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('good' as const) },
    { weight: 1, arbitrary: fc.constantFrom('undecodable', 'tombstone', 'missing', 'not-finite') },
    { weight: 2, arbitrary: fc.constantFrom(...STAGES) },
  ),
  key: fc.nat(4),
});

const scene: fc.Arbitrary<Scene> = fc.record({
  frames: fc.array(fc.array(event, { minLength: 1, maxLength: 24 }), { minLength: 1, maxLength: 6 }),
  seed: fc.nat(1_000),
  cached: fc.boolean(),
  onMissing: fc.constantFrom('impute', 'dead-letter', 'drop'),
  late: fc.boolean(),
});

function bytesOf({ kind, key }: TestEvent, id: number): Buffer | null {
  if (kind === 'tombstone') return null;
  const name = kind === 'enrich' ? BREAKING_KEYS[key % 2] : kind === 'missing' ? 'nobody' : `k${key}`;
  const body = EVENT.toBuffer({ id, x: kind === 'not-finite' ? null : id, key: name });
  const prefix = confluentPrefix(kind === 'decode' ? BREAKING_ID : GOOD_ID);
  return Buffer.concat([prefix, kind === 'undecodable' ? body.subarray(0, 1) : body]);
}

/** The scene's plan, with code that breaks on the records of its kind where `breaking`. */
function planOf({ cached, onMissing, late }: Scene, kinds: ReadonlyMap<number, string>, breaking: boolean): Plan {
  const cache = cached ? { entries: 3, ttlMs: 1_000, negativeTtlMs: 1_000 } : undefined;
  const plan = testPlan({ enriched: true, read: { onMissing: [onMissing], cache } });
  const [read] = plan.reads;
  const breakAt = (stage: BreakingStage, frame: Frame, work: (frame: Frame) => void): void => {
    if (late) work(frame);
    for (let i = 0; i < frame.count; i++) {
      if (breaking && frame.fate[i] === OPEN && kinds.get(idOf(frame, i)) === stage) throw new TypeError(stage);
    }
    if (!late) work(frame);
  };
  const { topology, inputs, predictions } = plan;
  return {
    ...plan,
    topology: {
      ...topology,
      source: {
        ...topology.source,
        value: { kind: 'avro', wire: 'confluent', ids: [], schemaFile: 'test.avsc', schema: EVENT_SCHEMA },
      },
    },
    reads: [read, { ...read, table: 'second', views: [{ ...read.views[0], name: 'g' }] }],
    inputs: { ...inputs, fill: (frame) => breakAt('preprocess', frame, inputs.fill) },
    predictions: { ...predictions, predict: (frame) => breakAt('postprocess', frame, predictions.predict) },
  };
}

function idOf(frame: Frame, i: number): number {
  return (frame.columns[0] as LongColumn).words[2 * i];
}

function encoderOf(plan: Plan, kinds: ReadonlyMap<number, string>, breaking: boolean): ValueEncoder {
  const encoder = compileJsonEncoder({
    schema: OUTPUT_SCHEMA,
    fields: OUTPUT_FIELDS,
    wants: plan.wants,
    predictions: plan.predictions.predictions,
  });
  const breakable: ValueEncoder = {
    bind(events, predictions) {
      const row = encoder.bind(events, predictions);
      return (i, slab) => {
        const fits = row(i, slab);
        if (breaking && kinds.get((events[0] as LongColumn).words[2 * i]) === 'encode') throw new TypeError('encode');
        return fits;
      };
    },
    bindBodies: (events, predictions) => bodiesOf(breakable.bind(events, predictions)),
  };
  return breakable;
}

class BrittleStore extends FakeStore {
  breaking = false;

  override async read(read: Parameters<FakeStore['read']>[0]): Promise<void> {
    await super.read(read);
    const key = BREAKING_KEYS[read.table === 'second' ? 1 : 0];
    if (this.breaking && read.keys.some((each) => String(each) === key)) throw new TypeError('enrich');
  }
}

async function play(played: Scene, breaking: boolean) {
  const { frames, seed } = played;
  const random = seeded(seed);
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const kinds = new Map(frames.flatMap((events, f) => events.map(({ kind }, k) => [100 * f + k, kind])));
  const plan = planOf(played, kinds, breaking);
  const credit = new Credit({ maxRecords: 1_000, maxBytes: 1_000_000 });
  const source = new FakeSource(clock, credit);
  const sink = new FakeSink();
  const store = new BrittleStore();
  store.breaking = breaking;
  store.before = () => pause(clock, random() * 20);
  for (let k = 0; k < 5; k++) store.rows.set(`k${k}`, 100 * k);
  for (const key of BREAKING_KEYS) store.rows.set(key, 1);
  const runner = assemble(plan, {
    clock,
    random,
    telemetry,
    credit,
    source,
    schemas: {
      async writerSchema(id) {
        await pause(clock, random() * 20);
        if (breaking && id === BREAKING_ID) throw new TypeError('decode');
        return EVENT_SCHEMA;
      },
      idFor: () => Promise.reject(new Error('no schemas here')),
    },
    store,
    session: new FakeSession(),
    encoder: encoderOf(plan, kinds, breaking),
    sink,
    instance: 'test',
  });
  const outcome = runner.run();
  const origins = [origin(0), origin(1)];
  for (const each of origins) source.assign(each);
  frames.forEach((events, f) => {
    const records = events.map((each, k) => ({ offset: 100 * f + k, value: bytesOf(each, 100 * f + k) }));
    const at = { receivedAtMs: clock.wallMs(), receivedMonotonicMs: clock.monotonicMs() };
    const frame = frameOf(origins[f % 2], records, at);
    assert.ok(credit.tryTake(frame.count, frame.bytes));
    source.listener.onFrame(frame);
  });
  runner.stop();
  const { result, error } = await clock.run(outcome);
  assert.equal(result, 'done', error?.stack);
  const dropped = telemetry.count('sluice_records_total', { fate: 'dropped' });
  return { sent: sink.acknowledged, dropped, telemetry };
}

/** Per input partition, in order: where it came from and what became of it. */
function story(sent: readonly Sent[], without: ReadonlySet<string>): string[][] {
  return [0, 1].flatMap((partition) =>
    ['out', 'dead'].map((topic) =>
      sent.flatMap(({ topic: to, key, value, headers }) => {
        const source = sourceOf(headers);
        if (to !== topic || !source.startsWith(`in/${partition}/`) || without.has(source)) return [];
        const reason = headers['__dlq.errors.reason'] ?? headers['sluice-model'];
        return [`${source} ${key} ${value} ${reason} ${headers['__dlq.errors.stage']}`];
      }),
    ),
  );
}

function sourceOf(headers: Sent['headers']): string {
  const of = (name: string): string => headers[`__dlq.errors.${name}`];
  return headers['sluice-source'] ?? `${of('topic')}/${of('partition')}/${of('offset')}`;
}

let poisoned = 0;
test('poison in any stage is dead-lettered alone, with the stage named; all others fare as if there were none', async () => {
  await fc.assert(
    fc.asyncProperty(scene, async (played) => {
      const [whole, broken] = [await play(played, false), await play(played, true)];
      const expected: string[] = [];
      played.frames.forEach((events, f) => {
        events.forEach(({ kind }, k) => {
          if (STAGES.some((stage) => stage === kind)) expected.push(`in/${f % 2}/${100 * f + k} ${kind}`);
        });
      });
      const failed = broken.sent.filter(({ headers }) => headers['__dlq.errors.reason'] === 'stage-failed');
      const found = failed.map(({ headers }) => `${sourceOf(headers)} ${headers['__dlq.errors.stage']}`);
      assert.deepEqual(found.sort(), [...expected].sort());
      const poison = new Set(expected.map((each) => each.split(' ')[0]));
      assert.deepEqual(story(broken.sent, poison), story(whole.sent, poison));
      assert.equal(broken.dropped, whole.dropped);
      const told = broken.telemetry.eventsNamed('stage-failed').map(({ source, stage }) => `${source} ${stage}`);
      assert.deepEqual(told.sort(), [...expected].sort());
      poisoned += expected.length;
    }),
    { seed: 4, numRuns: 150 },
  );
  assert.ok(poisoned > 300, `${poisoned} records broke something`);
});
