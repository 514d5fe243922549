import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../../src/codecs/avro-decoder.ts';
import { MAX_DECIMAL_BYTES, MAX_DECIMAL_TEXT, putDecimal, writeDecimal } from '../../../src/codecs/decimal-digits.ts';
import { compileJsonDecoder } from '../../../src/codecs/json-decoder.ts';
import { readTime, timeTextOf } from '../../../src/codecs/json-times.ts';
import { decimalText, twosComplement } from '../../fixtures/type-matrix/values.ts';
import { decodeOne, oracle, want } from './support.ts';

const unscaled = fc.oneof(
  fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
  fc.tuple(fc.nat(120), fc.constantFrom(-1n, 0n, 1n), fc.boolean()).map(([bit, more, negative]) => {
    const value = (1n << BigInt(bit)) + more;
    return negative ? -value : value;
  }),
);

function decimalField(logical: object): object {
  return { type: 'record', name: 'E', fields: [{ name: 'x', type: logical }] };
}

test('a decimal is the nearest double as far as the page says, and near it beyond', () => {
  fc.assert(
    fc.property(unscaled, fc.nat(38), fc.boolean(), (value, scale, isFixed) => {
      const logical = { logicalType: 'decimal', precision: 60, scale };
      const type = isFixed ? { type: 'fixed', name: 'F', size: 32, ...logical } : { type: 'bytes', ...logical };
      const schema = decimalField(type);
      const bytes = oracle(schema).toBuffer({ x: twosComplement(value, isFixed ? 32 : undefined) });
      const wants = [want('x', 'number')];
      const [got] = decodeOne(compileAvroDecoder({ writer: schema, wants }), wants, bytes) as [number];
      const exact = Number(decimalText({ unscaled: value, scale }));
      if (value >= -(2n ** 53n) && value <= 2n ** 53n && scale <= 22) assert.equal(got + 0, exact + 0);
      else assert.ok(Math.abs(got - exact) <= Math.abs(exact) * 2 ** -51, `${got} ${exact}`);
    }),
    { seed: 31, numRuns: 3_000 },
  );
});

test('digits become bytes and bytes digits, as BigInt has it', () => {
  const [bytes, text] = [Buffer.alloc(MAX_DECIMAL_BYTES + 2), Buffer.alloc(MAX_DECIMAL_TEXT + 64)];
  fc.assert(
    fc.property(unscaled, fc.integer({ min: 1, max: 45 }), fc.nat(45), fc.nat(3), (value, precision, places, zeros) => {
      const scale = Math.min(precision, places);
      const digits = decimalText({ unscaled: value, scale });
      const written = Buffer.from(scale === 0 ? digits : digits + '0'.repeat(zeros));
      const end = putDecimal(written, 0, written.length, { precision, scale }, -1, bytes, 1);
      const fits = value > -(10n ** BigInt(precision)) && value < 10n ** BigInt(precision);
      assert.deepEqual(fits ? bytes.subarray(1, end) : end, fits ? twosComplement(value) : -1);
      const encoded = twosComplement(value);
      assert.equal(text.toString('latin1', 1, writeDecimal(text, 1, encoded, 0, encoded.length, scale)), digits);
    }),
    { seed: 32, numRuns: 5_000 },
  );
  for (const wrong of ['', '-', '1.', '.5', '1.505', '1,5', '+1', '12345', ' 1'])
    assert.equal(putDecimal(Buffer.from(wrong), 0, wrong.length, { precision: 4, scale: 2 }, -1, bytes, 0), -1, wrong);
  for (const [text, means] of [
    ['1e-2', 1n],
    ['-2.5E1', -2500n],
    ['1e+1', 1000n],
    ['0e3', 0n],
    ['1e-3', undefined],
    ['1e2', undefined],
    ['1e', undefined],
    ['1e+', undefined],
    ['1e999999999999', undefined],
    ['1e99999', undefined],
  ] as const) {
    const end = putDecimal(Buffer.from(text), 0, text.length, { precision: 4, scale: 2 }, -1, bytes, 0);
    assert.deepEqual(
      end < 0 ? undefined : bytes.subarray(0, end),
      means === undefined ? undefined : twosComplement(means),
      text,
    );
  }
});

const time = (logicalType: string, type = 'long') => timeTextOf({ type, logicalType } as never);

function read(text: string, logicalType: string, type?: string): number | undefined {
  const into = new Float64Array(1);
  const kind = time(logicalType, type);
  assert.ok(kind);
  return readTime(Buffer.from(`"${text}"`), 1, Buffer.byteLength(text) + 1, kind, into, 0) ? into[0] : undefined;
}

test('times are what Date says of them', () => {
  const date = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(
      date,
      fc.integer({ min: -1439, max: 1439 }),
      fc.constantFrom('T', ' ', 't'),
      (moment, offset, between) => {
        const iso = moment.toISOString();
        assert.equal(read(iso.replace('T', between), 'timestamp-millis'), moment.getTime());
        assert.equal(read(iso.slice(0, -1), 'local-timestamp-millis'), moment.getTime());
        assert.equal(read(iso.slice(0, 10), 'date', 'int'), Math.floor(moment.getTime() / 86_400_000));
        const day = 86_400_000;
        assert.equal(read(iso.slice(11, -1), 'time-millis', 'int'), ((moment.getTime() % day) + day) % day);
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((n) =>
          String(n).padStart(2, '0'),
        );
        const zoned = `${iso.slice(0, -1)}${offset < 0 ? '-' : '+'}${hours}:${minutes}`;
        assert.equal(read(zoned, 'timestamp-millis'), moment.getTime() - 60_000 * offset);
      },
    ),
    { seed: 33, numRuns: 2_000 },
  );
  assert.equal(read('2024-05-01T12:30:00.1234567Z', 'timestamp-micros'), 1_714_566_600_123_456);
  assert.equal(read('12:30:00.5', 'time-micros'), 45_000_500_000);
});

test('what is no time is refused, not guessed', () => {
  for (const wrong of [
    ...['2024-02-30', '2023-02-29', '2024-13-01', '2024-00-10', '24-01-01', '2024-1-1', '20240101', '2024-01-01Z'],
  ])
    assert.equal(read(wrong, 'date', 'int'), undefined, wrong);
  for (const wrong of [
    '2024-05-01',
    '2024-05-01T12:30Z',
    '2024-05-01T12:30:00',
    '2024-05-01T24:00:00Z',
    '2024-05-01T12:30:60Z',
  ])
    assert.equal(read(wrong, 'timestamp-millis'), undefined, wrong);
  for (const wrong of ['2024-05-01T12:30:00.Z', '2024-05-01T12:30:00+0200', '2024-05-01T12:30:00+24:00', '', 'now'])
    assert.equal(read(wrong, 'timestamp-millis'), undefined, wrong);
  assert.equal(time('timestamp-nanos'), undefined);
  assert.equal(time('timestamp-millis', 'int'), undefined);
  assert.equal(time('date'), undefined);
});

test('JSON has decimals and times as numbers or as text', () => {
  const schema = {
    type: 'record',
    name: 'E',
    fields: [
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'at', type: ['null', { type: 'long', logicalType: 'timestamp-millis' }] },
    ],
  };
  const wants = [want('price', 'number'), want('at', 'number'), want('at', 'long')];
  const decoder = compileJsonDecoder({ schema, wants });
  const of = (text: string) => decodeOne(decoder, wants, Buffer.from(text));
  assert.deepEqual(of('{"price":12.5,"at":-1}'), [12.5, -1, -1n]);
  assert.deepEqual(of('{"price":"12.50","at":"1969-12-31T23:59:59Z"}'), [12.5, -1000, -1000n]);
  assert.deepEqual(of('{"price":"-0.01","at":null}'), [-0.01, null, null]);
  for (const wrong of [
    '{"price":"","at":1}',
    '{"price":"a","at":1}',
    '{"price":1,"at":"soon"}',
    '{"price":"1\\u0030","at":1}',
  ])
    assert.equal(of(wrong), undefined, wrong);
});
