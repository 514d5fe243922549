import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { confluentPrefix } from '../../../src/codecs/wire.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { DEAD_LETTERED, FATES, OPEN, REASONS } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import type { ValueFormat } from '../../../src/plan/topology.ts';
import type { SchemaSource } from '../../../src/ports/schemas.ts';
import { createDecode } from '../../../src/stages/decode.ts';
import { frameOf } from '../../fixtures/frames.ts';
import { EVENT_SCHEMA, testPlan } from '../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

const TYPE = avsc.Type.forSchema(EVENT_SCHEMA as avsc.Schema);
/** An earlier version of the event, without the key. */
const OLDER = { type: 'record', name: 'Event', fields: [EVENT_SCHEMA.fields[0], EVENT_SCHEMA.fields[1]] };
const OLDER_TYPE = avsc.Type.forSchema(OLDER as avsc.Schema);
const READER = {
  ...EVENT_SCHEMA,
  fields: EVENT_SCHEMA.fields.map((field) => (field.name === 'key' ? { ...field, default: null } : field)),
};

function avro(id: number, x: number | null): Buffer {
  return TYPE.toBuffer({ id, x, key: null });
}

function confluent(schemaId: number, value: Buffer): Buffer {
  return Buffer.concat([confluentPrefix(schemaId), value]);
}

function planWith(value: Partial<ValueFormat>, onTombstone: 'drop' | 'dead-letter' = 'drop'): Plan {
  const plan = testPlan();
  const full = { kind: 'avro', schemaFile: 'event.avsc', schema: READER, wire: 'confluent', ids: [], ...value };
  const source = { ...plan.topology.source, value: full as ValueFormat, onTombstone };
  return { ...plan, topology: { ...plan.topology, source } };
}

/** A registry of a few schemas; other ids are unknown. Remembers what it was asked. */
class Registry implements SchemaSource {
  readonly asked: number[] = [];
  readonly schemas = new Map<number, unknown>([
    [1, EVENT_SCHEMA],
    [2, OLDER],
  ]);
  fails: Error | undefined;

  async writerSchema(id: number): Promise<unknown> {
    this.asked.push(id);
    if (this.fails) throw this.fails;
    const schema = this.schemas.get(id);
    if (schema === undefined) throw new SluiceError('schema-unknown', `no schema ${id}`);
    return schema;
  }

  idFor(): Promise<number> {
    return Promise.reject(new Error('nobody writes here'));
  }
}

function start(plan: Plan = planWith({})) {
  const deps = stageDeps();
  const schemas = new Registry();
  return { deps, schemas, decode: createDecode({ ...deps, schemas }, plan) };
}

function frame(...values: (Buffer | string | null)[]): Frame {
  return frameOf(
    ORIGIN,
    values.map((value, offset) => ({ offset, value })),
  );
}

function fates(of: Frame): string[] {
  return Array.from(of.fate, (fate, i) => (fate === OPEN ? 'open' : `${FATES[fate]} ${REASONS[of.reason[i]]}`));
}

function xs(of: Frame): number[] {
  const column = of.columns[1];
  return column.kind === 'number' ? [...column.values] : [];
}

test('values of several writer schemas become the same columns; each schema is fetched once', async () => {
  const { deps, schemas, decode } = start();
  const older = OLDER_TYPE.toBuffer({ id: 3, x: 30 });
  const first = frame(confluent(1, avro(1, 10)), confluent(2, older), confluent(1, avro(2, null)), confluent(2, older));
  await deps.clock.run(decode(first) as Promise<void>);
  assert.deepEqual(fates(first), ['open', 'open', 'open', 'open']);
  assert.deepEqual(xs(first), [10, 30, Number.NaN, 30]);
  assert.deepEqual([...first.schemaId], [1, 2, 1, 2]);
  assert.deepEqual(schemas.asked, [1, 2]);

  const second = frame(confluent(2, older), confluent(1, avro(4, 40)));
  assert.equal(decode(second), undefined, 'known schemas need no wait');
  assert.deepEqual(xs(second), [30, 40]);
  assert.deepEqual(schemas.asked, [1, 2]);
});

test('a value that is not one of its schema dead-letters alone, as decode-failed', async () => {
  const { deps, decode } = start();
  const good = confluent(1, avro(1, 10));
  const mixed = frame(
    good,
    good.subarray(0, 4),
    Buffer.alloc(0),
    Buffer.from([1, ...good.subarray(1)]),
    good.subarray(0, 7),
    good,
  );
  await deps.clock.run(decode(mixed) as Promise<void>);
  const failed = 'dead-lettered decode-failed';
  assert.deepEqual(fates(mixed), ['open', failed, failed, failed, failed, 'open']);
  assert.deepEqual([...mixed.schemaId], [1, -1, -1, -1, 1, 1]);
  assert.equal(xs(mixed)[5], 10);
});

test('an id that nobody knows dead-letters as schema-unknown, and is not asked for again for a minute', async () => {
  const { deps, schemas, decode } = start();
  for (let n = 0; n < 2; n++) {
    const strange = frame(confluent(99, avro(1, 1)), confluent(1, avro(2, 2)));
    const wait = decode(strange);
    if (wait !== undefined) await deps.clock.run(wait);
    assert.deepEqual(fates(strange), ['dead-lettered schema-unknown', 'open']);
  }
  assert.deepEqual(schemas.asked, [99, 1]);
  assert.equal(deps.telemetry.eventsNamed('schema-refused').length, 1);

  // Registered meanwhile: found when it is asked for again.
  schemas.schemas.set(99, EVENT_SCHEMA);
  await deps.clock.advance(60_000);
  const late = frame(confluent(99, avro(7, 70)));
  await deps.clock.run(decode(late) as Promise<void>);
  assert.deepEqual([fates(late), xs(late)], [['open'], [70]]);
});

test('a schema that cannot be read as the topology’s dead-letters as decode-failed', async () => {
  const { deps, schemas, decode } = start();
  schemas.schemas.set(5, { type: 'record', name: 'Event', fields: [{ name: 'id', type: 'string' }] });
  const strange = frame(confluent(5, Buffer.from([2, 65])));
  await deps.clock.run(decode(strange) as Promise<void>);
  assert.deepEqual(fates(strange), ['dead-lettered decode-failed']);
});

test('a registry that is down holds the frame, changes no fate, and is reported while it lasts', async () => {
  const { deps, schemas, decode } = start();
  schemas.fails = new SluiceError('registry-unavailable', 'connection refused');
  const held = frame(confluent(1, avro(1, 10)));
  let over = false;
  const wait = (decode(held) as Promise<void>).then(() => {
    over = true;
  });
  await deps.clock.advance(30_000);
  assert.equal(over, false);
  assert.deepEqual(fates(held), ['open']);
  assert.equal(deps.conditions.describe(), 'schema registry: connection refused');
  const labels = { what: 'registry', reason: 'registry-unavailable' };
  assert.ok(deps.telemetry.count('sluice_retries_total', labels) > 10);

  schemas.fails = undefined;
  await deps.clock.run(wait);
  assert.deepEqual([fates(held), xs(held), deps.conditions.describe()], [['open'], [10], '']);
});

test('a registry that refuses ends the run', async () => {
  const { deps, schemas, decode } = start();
  schemas.fails = new SluiceError('registry-refused', 'no permission');
  await assert.rejects(deps.clock.run(decode(frame(confluent(1, avro(1, 1)))) as Promise<void>), /no permission/);
});

test('frames that need the same schema at once share one question', async () => {
  const { deps, schemas, decode } = start();
  const frames = [1, 2, 3].map((n) => frame(confluent(1, avro(n, n)), confluent(99, avro(n, n))));
  await deps.clock.run(Promise.all(frames.map((each) => decode(each))));
  for (const each of frames) assert.deepEqual(fates(each), ['open', 'dead-lettered schema-unknown']);
  assert.deepEqual(schemas.asked, [1, 99]);
});

test('a flood of strange ids cannot push out a schema while its records wait', async () => {
  const { deps, schemas, decode } = start();
  let id = 1_000;
  const strange = (count: number): Buffer[] => Array.from({ length: count }, () => confluent(id++, avro(1, 1)));
  for (let n = 0; n < 30; n++) {
    const flood = frame(confluent(1, avro(n, n)), ...strange(100), confluent(1, avro(n, n)));
    await deps.clock.run(decode(flood) as Promise<void>);
    assert.deepEqual([flood.fate[0], flood.fate[101]], [OPEN, OPEN], `after ${n * 100} ids`);
    assert.deepEqual([xs(flood)[0], xs(flood)[101]], [n, n]);
  }
  const times = schemas.asked.filter((each) => each === 1).length;
  assert.equal(times, 1, 'a schema in use is not forgotten, so not fetched again');
});

for (const [onTombstone, fate] of [
  ['drop', 'dropped tombstone'],
  ['dead-letter', 'dead-lettered tombstone'],
] as const) {
  test(`a tombstone is settled by the topology's choice: ${onTombstone}`, () => {
    const { decode } = start(planWith({ wire: 'plain' }, onTombstone));
    const mixed = frame(null, avro(1, 10), null);
    assert.equal(decode(mixed), undefined);
    assert.deepEqual(fates(mixed), [fate, 'open', fate]);
    assert.equal(xs(mixed)[1], 10);
  });
}

test('plain Avro and JSON need no registry; what already has a fate keeps it', () => {
  const plain = start(planWith({ wire: 'plain' }));
  const binary = frame(avro(1, 10), Buffer.from([0x80]), avro(2, 20));
  decide(binary, 2, DEAD_LETTERED, REASONS.indexOf('too-large'));
  assert.equal(plain.decode(binary), undefined);
  assert.deepEqual(fates(binary), ['open', 'dead-lettered decode-failed', 'dead-lettered too-large']);
  assert.deepEqual([xs(binary)[0], plain.schemas.asked], [10, []]);

  const json = start(testPlan());
  const text = frame('{"id":1,"x":2.5,"key":"k"}', '{"id":1,', '[]');
  assert.equal(json.decode(text), undefined);
  assert.deepEqual(fates(text), ['open', 'dead-lettered decode-failed', 'dead-lettered decode-failed']);
  assert.equal(xs(text)[0], 2.5);
});
