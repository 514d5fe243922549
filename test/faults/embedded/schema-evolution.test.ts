import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import avro from 'avsc';
import { framed } from '../../fixtures/upstream.ts';
import { audit, describeViolations, headerText, untilDrained } from '../ledger.ts';
import { openReader } from '../read-apart.ts';
import { expectedScore, scoreType, TOPICS } from './pipeline.ts';
import { openStage, type Stage } from './stage.ts';

/** Writers' schemas that differ from the topology's (id: long; key and x: null or string, double): which go on, and why the others do not. */
const LIMIT = { timeout: 120_000 };
const SOON_MS = 45_000;

type Field = Readonly<{ name: string; type: unknown; default?: unknown }>;
const ID: Field = { name: 'id', type: 'long' };
const KEY: Field = { name: 'key', type: ['null', 'string'], default: null };
const X: Field = { name: 'x', type: ['null', 'double'], default: null };
const of = (field: Field, type: unknown, name = field.name): Field => ({ name, type });

/** What changed, the writer's fields, its value, and the x that is read of it. */
const COMPATIBLE: readonly (readonly [string, readonly Field[], Readonly<Record<string, unknown>>, number | null])[] = [
  [
    'a field is added',
    [ID, KEY, { name: 'gate', type: { type: 'array', items: 'string' } }, X],
    { gate: ['a'], x: 2 },
    2,
  ],
  ['a field with a default is removed', [ID, KEY], {}, null],
  ['int where long and double are read', [of(ID, 'int'), KEY, of(X, 'int')], { x: 3 }, 3],
  ['long where double is read', [ID, KEY, of(X, 'long')], { x: 4 }, 4],
  ['float where double is read', [ID, KEY, of(X, ['null', 'float'])], { x: 2.5 }, 2.5],
  ['fields in another order', [X, KEY, ID], { x: 5 }, 5],
  ['a field by its former name', [ID, KEY, of(X, 'double', 'amount')], { amount: 6 }, 6],
  ['a union wider than what is read', [of(ID, ['null', 'long']), of(KEY, 'string'), X], { key: 'k2', x: 7 }, 7],
];

/** What changed, the writer's fields, its value, and what the dead letter says of it. */
const INCOMPATIBLE: readonly (readonly [string, readonly Field[], Readonly<Record<string, unknown>>, RegExp])[] = [
  ['a field without a default is removed', [KEY, X], { x: 1 }, /has no field "id"/],
  ['text where a number is read', [ID, KEY, of(X, 'string')], { x: 'SECRET' }, /field "x": the writer's string/],
  ['double where long is read', [of(ID, 'double'), KEY, X], { x: 1 }, /field "id": the writer's double/],
];

async function staged(context: TestContext): Promise<Stage> {
  const stage = await openStage(31, {});
  context.after(async () => {
    for (const { runner } of stage.members) runner.stop();
    await Promise.all(stage.members.map(({ outcome }) => outcome));
    await stage.close();
  });
  return stage;
}

test(
  'compatible schemas go on under their new id; incompatible ones dead-letter, and say which field',
  LIMIT,
  async (context) => {
    const stage = await staged(context);
    const written = [...COMPATIBLE, ...INCOMPATIBLE].map(([name, fields, value], n) => {
      const schema = { type: 'record', name: 'Event', fields };
      const id = stage.register(`evolution-${n}`, schema);
      const full = { id: n, key: 'k1', x: null, ...value };
      return {
        id,
        name,
        bytes: framed(id, avro.Type.forSchema(schema as avro.Schema, { wrapUnions: false }).toBuffer(full)),
      };
    });
    const unknown = { id: 9_999, name: 'unknown', bytes: framed(9_999, Buffer.from('SECRET')) };
    await stage.write(
      0,
      [...written, unknown].map(({ name, bytes }) => ({ key: name, value: bytes })),
    );
    const member = await stage.join();
    await untilDrained(stage.watched, SOON_MS);

    const reader = openReader(stage.watched.brokers);
    context.after(() => reader.close());
    const scores = (await reader.readOn(TOPICS.output)).map(({ value }) =>
      scoreType.fromBuffer((value as Buffer).subarray(5)),
    );
    // The model counts in float32: its logarithm is off by a last place.
    const byId = new Map(scores.map(({ id, score }) => [Number(id), score]));
    assert.equal(scores.length, COMPATIBLE.length);
    COMPATIBLE.forEach(([name, , { key }, x], n) => {
      const off = Math.abs((byId.get(n) as number) - expectedScore(String(key ?? 'k1'), x));
      assert.ok(off < 1e-6, `${name} is off by ${off}`);
    });

    const letters = new Map(
      (await reader.readOn(TOPICS.deadLetter)).map((letter) => [String(letter.key), letter.headers]),
    );
    assert.deepEqual([...letters.keys()], [...INCOMPATIBLE.map(([name]) => name), 'unknown']);
    const refused = member.telemetry.eventsNamed('schema-refused');
    for (const [name, , , why] of INCOMPATIBLE) {
      const headers = letters.get(name) as never;
      const detail = headerText(headers, '__dlq.errors.detail') ?? '';
      assert.equal(headerText(headers, '__dlq.errors.reason'), 'decode-failed');
      assert.match(detail, why);
      assert.doesNotMatch(detail, /SECRET/);
      const { id } = written.find((one) => one.name === name) as { id: number };
      assert.match(String(refused.find((event) => event.id === id)?.reason), why);
    }
    const headers = letters.get('unknown') as never;
    assert.equal(headerText(headers, '__dlq.errors.reason'), 'schema-unknown');
    assert.match(headerText(headers, '__dlq.errors.detail') ?? '', /no schema with id 9999/);

    const account = await audit(stage.watched, { maxDuplicates: 0 });
    assert.equal(describeViolations(account), '');
    assert.deepEqual(account.reasons, { 'decode-failed': INCOMPATIBLE.length, 'schema-unknown': 1 });
  },
);
