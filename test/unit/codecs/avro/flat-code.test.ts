import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, mock, test } from 'node:test';
import { compileAvroDecoder } from '../../../../src/codecs/avro/decoder.ts';
import { want } from '../support.ts';

/** The code that reads the flights, as it was before paths into records: flat events must not pay for nested ones. */
const FIXTURE = new URL('../../../fixtures/decoders/flight-departed.txt', import.meta.url);
const SCHEMA = new URL('../../../../schemas/flight-departed.avsc', import.meta.url);

afterEach(() => mock.restoreAll());

function codeOf(compile: () => void): string {
  const made: string[] = [];
  const { Function: real } = globalThis;
  mock.property(
    globalThis,
    'Function',
    new Proxy(real, {
      construct(target, args) {
        made.push(String(args.at(-1)));
        return Reflect.construct(target, args);
      },
    }),
  );
  compile();
  mock.restoreAll();
  assert.equal(made.length, 1);
  return made[0];
}

test('the code for a flat event is unchanged (SLUICE_UPDATE=1 updates the file)', () => {
  const writer: unknown = JSON.parse(readFileSync(SCHEMA, 'utf8'));
  const wants = [
    want('departed_at', 'number'),
    want('distance', 'number'),
    want('origin', 'string'),
    want('id', 'long'),
  ];
  const code = codeOf(() => compileAvroDecoder({ writer, wants }));
  if (process.env.SLUICE_UPDATE === '1') writeFileSync(FIXTURE, code);
  assert.equal(code, readFileSync(FIXTURE, 'utf8'));
});

test('a nested event makes no object, function or string per record: its statements are inline, like those of a field', () => {
  const inner = { type: 'record', name: 'In', fields: [{ name: 'a', type: 'double' }] };
  const of = (type: unknown) => ({ type: 'record', name: 'E', fields: [{ name: 'x', type }] });
  const flat = codeOf(() => compileAvroDecoder({ writer: of('double'), wants: [want('x', 'number')] }));
  const nested = codeOf(() => compileAvroDecoder({ writer: of(inner), wants: [want('x.a', 'number')] }));
  assert.equal(nested, flat);
});
