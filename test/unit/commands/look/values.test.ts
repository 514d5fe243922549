import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paintFor } from '../../../../src/commands/look/paint.ts';
import { jsonText, plainRecord, recordLine } from '../../../../src/commands/look/show.ts';
import { createValues, excerpt } from '../../../../src/commands/look/values.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { ValueFormat } from '../../../../src/plan/topology.ts';
import type { LogRecord } from '../../../../src/ports/topic-log.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { Text } from '../../../fixtures/io.ts';

const SCHEMA = { type: 'record', name: 'R', fields: [{ name: 'n', type: 'int' }] };
const FORMATS: Readonly<Record<string, ValueFormat>> = {
  plain: { kind: 'avro', schemaFile: 'r.avsc', schema: SCHEMA, wire: 'plain', ids: [] },
  framed: { kind: 'avro', schemaFile: 'r.avsc', schema: SCHEMA, wire: 'confluent', ids: [] },
  json: { kind: 'json', schemaFile: 'r.avsc', schema: SCHEMA },
};

function made(answer: (id: number) => Promise<unknown> = () => Promise.resolve(SCHEMA)) {
  const clock = new FakeClock();
  const asked: number[] = [];
  const schemas = {
    writerSchema(id: number) {
      asked.push(id);
      return answer(id);
    },
    idFor: () => Promise.reject(new Error('nobody asks')),
  };
  return { clock, asked, values: createValues({ clock, schemas }, (topic) => FORMATS[topic]) };
}

const of = (id: number, ...body: number[]): Buffer => Buffer.from([0, 0, 0, 0, id, ...body]);

test('what bytes say, by the topic they are of', async () => {
  const { values, asked } = made();
  const said = async (topic: string, bytes: Buffer | string | null) => {
    const { value, schemaId, why } = await values.value(topic, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    return [value, schemaId, why];
  };
  assert.deepEqual(await said('any', null), [null, undefined, undefined]);
  assert.deepEqual(await said('any', of(7, 4)), [{ n: 2 }, 7, undefined]);
  assert.deepEqual(await said('framed', of(7, 6)), [{ n: 3 }, 7, undefined]);
  assert.deepEqual(await said('framed', of(7, 6, 6)), [
    undefined,
    7,
    'its bytes are no value of schema 7, which it names',
  ]);
  assert.deepEqual(await said('plain', Buffer.from([8])), [{ n: 4 }, undefined, undefined]);
  assert.deepEqual(await said('plain', ''), [undefined, undefined, 'its bytes are no value of r.avsc']);
  assert.deepEqual(await said('json', '{"n":5}'), [{ n: 5 }, undefined, undefined]);
  assert.deepEqual(await said('json', '{"n":'), ['{"n":', undefined, 'it is no JSON']);
  assert.deepEqual(await said('any', 'plain words'), ['plain words', undefined, undefined]);
  assert.deepEqual(await said('framed', '{"n":5}'), [
    { n: 5 },
    undefined,
    'it has no schema id in front: a zero byte and four of the id',
  ]);
  assert.equal((await said('any', Buffer.from([0xff])))[0], undefined);
  assert.deepEqual(asked, [7], 'a schema is asked for once');
});

test('a key is the text that it is, not the number', async () => {
  const { values } = made();
  const key = async (bytes: Buffer) => (await values.key(bytes)).value;
  assert.deepEqual(
    [
      await key(Buffer.from('17')),
      await key(Buffer.from('{"a":1}')),
      await key(of(7, 4)),
      await key(Buffer.from([255])),
    ],
    ['17', '{"a":1}', { n: 2 }, undefined],
  );
});

test('an id that failed is asked for again after a while', async () => {
  let away = true;
  const failing = () =>
    away ? Promise.reject(new SluiceError('registry-unavailable', 'registry r is away')) : Promise.resolve(SCHEMA);
  const { values, clock, asked } = made(failing);
  assert.equal((await values.value('any', of(7, 4))).why, 'registry r is away');
  await values.value('any', of(7, 4));
  away = false;
  await clock.advance(5_001);
  assert.deepEqual((await values.value('any', of(7, 4))).value, { n: 2 });
  assert.deepEqual(asked, [7, 7]);
});

const RECORD: LogRecord = {
  ...{ partition: 1, offset: 2, timestampMs: 0, key: Buffer.from('k\u001b[2J'), value: Buffer.from('"\u202e"') },
  headers: [{ name: 'h', value: Buffer.from([255]) }],
};
const KEY = { value: 'k\u001b[2J', schemaId: undefined, why: undefined };

test('nothing of a record moves the cursor or turns the writing', () => {
  const line = recordLine(RECORD, KEY, { value: '\u202e\n', schemaId: undefined, why: undefined }, (_, text) => text);
  assert.equal(line, '1:2  1970-01-01T00:00:00.000Z  k\\u{1b}[2J  "\\u{202e}\\n"  h=0xff');
});

test('what was too large to keep is said, in JSON too', () => {
  const record: LogRecord = { ...RECORD, key: null, value: null, headers: [], unread: 'too-large' };
  const none = { value: null, schemaId: undefined, why: undefined };
  assert.match(
    recordLine(record, none, none, (_, text) => text),
    /- {2}\(too large to be shown\)$/,
  );
  assert.equal(plainRecord('t', record, none, none).undecoded, 'too large to be shown');
});

test('long lists and long texts are shortened, and say so', () => {
  assert.equal(jsonText({ v: [1, 2, 3, 4, 5, 6, 7, 8, 9], w: [['a']] }), '{"v":[1,2,3,4,5,6,… 9 numbers],"w":[["a"]]}');
  assert.equal(excerpt(Buffer.alloc(50)), `0x${'00'.repeat(48)}… 50 bytes`);
});

test('colours are for terminals, and not where NO_COLOR is set', () => {
  const stdout = new Text();
  assert.equal(paintFor({ stdout, env: {} })('red', 'x'), 'x');
  stdout.isTTY = true;
  assert.equal(paintFor({ stdout, env: {} })('red', 'x'), '\u001b[31mx\u001b[0m');
  assert.equal(paintFor({ stdout, env: { NO_COLOR: '1' } })('red', 'x'), 'x');
});
