import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { createAvroReader } from '../../../src/codecs/avro/value.ts';
import { wholeWants } from '../../../src/codecs/avro/want-columns.ts';
import { MAX_DECIMAL_BYTES, MAX_DECIMAL_TEXT, putDecimal, writeDecimal } from '../../../src/codecs/decimal-digits.ts';
import { compileJsonDecoder } from '../../../src/codecs/json/decoder.ts';
import { compileJsonEncoder } from '../../../src/codecs/json/encoder.ts';
import { readTime, timeTextOf } from '../../../src/codecs/json/times.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { decimalText, twosComplement } from '../../fixtures/type-matrix/values.ts';
import { columnsFor, decodeOne, oracle, want } from './support.ts';

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

test('a decimal is the nearest double within the documented range, and near it beyond', () => {
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

test('decimal digits and bytes convert to each other as with BigInt', () => {
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
  fc.assert(
    fc.property(unscaled, fc.nat(30), fc.nat(40), fc.nat(40), (value, scale, zeros, point) => {
      const digits = decimalText({ unscaled: value * 10n ** BigInt(zeros), scale: point });
      const written = Buffer.from(`${digits}e${point - zeros - scale}`);
      const end = putDecimal(written, 0, written.length, { precision: 60, scale }, -1, bytes, 1);
      assert.deepEqual(bytes.subarray(1, end), twosComplement(value), `${written} at ${scale}`);
      if (value % 10n === 0n) return;
      const less = scale === 0 ? Buffer.from(`${digits}e${point - zeros - 1}`) : written;
      const places = { precision: 60, scale: Math.max(0, scale - 1) };
      assert.equal(putDecimal(less, 0, less.length, places, -1, bytes, 1), -1, `${less} at ${places.scale}`);
    }),
    { seed: 34, numRuns: 3_000 },
  );
  for (const wrong of ['', '-', '1.', '.5', '1.505', '1,5', '+1', '12345', ' 1'])
    assert.equal(putDecimal(Buffer.from(wrong), 0, wrong.length, { precision: 4, scale: 2 }, -1, bytes, 0), -1, wrong);
  for (const [text, means] of [
    ['1e-2', 1n],
    ['-2.5E1', -2500n],
    ['1e+1', 1000n],
    ['0e3', 0n],
    ['0e-5', 0n],
    ['-0.000e-99', 0n],
    ['0e9999999', 0n],
    ['100e-3', 10n],
    ['-1200.00e-4', -12n],
    ['0.05000e+1', 50n],
    ['000.010', 1n],
    ['101e-3', undefined],
    ['0.050e-1', undefined],
    ['1e-3', undefined],
    ['0e', undefined],
    ['0e-', undefined],
    ['0e1x', undefined],
    ['0.e1', undefined],
    ['1e-99999999999999999999', undefined],
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

test('a decimal with more digits than the limit is refused, never another number', () => {
  const bytes = Buffer.alloc(MAX_DECIMAL_BYTES + 8);
  const put = (digits: string, scale = 0): Buffer | undefined => {
    bytes.fill(0xee);
    const end = putDecimal(Buffer.from(digits), 0, digits.length, { precision: 2_000, scale }, -1, bytes, 0);
    assert.ok(end <= MAX_DECIMAL_BYTES, `${end}`);
    assert.ok(
      bytes.subarray(MAX_DECIMAL_BYTES).every((byte) => byte === 0xee),
      'nothing is written behind the room',
    );
    return end < 0 ? undefined : Buffer.from(bytes.subarray(0, end));
  };
  const most = 2n ** (8n * BigInt(MAX_DECIMAL_BYTES) - 1n);
  assert.deepEqual(put(String(most - 1n)), twosComplement(most - 1n));
  assert.deepEqual(put(String(-most)), twosComplement(-most));
  for (const beyond of [
    String(most),
    String(-most - 1n),
    '9'.repeat(650),
    `-${'9'.repeat(650)}`,
    `1${'0'.repeat(649)}`,
  ])
    assert.equal(put(beyond), undefined, beyond);
  assert.equal(put('1e649'), undefined);
  assert.equal(put('1', 649), undefined);
  assert.deepEqual(put(`0.${'0'.repeat(648)}1`, 649), Buffer.from([1]));
});

test('a scale larger than the number of digits is filled with zeros', () => {
  const scale = MAX_DECIMAL_TEXT + 100;
  const text = Buffer.alloc(MAX_DECIMAL_TEXT + scale);
  const end = writeDecimal(text, 0, Buffer.from([0xf9]), 0, 1, scale);
  assert.equal(text.toString('latin1', 0, end), `-0.${'0'.repeat(scale - 1)}7`);
});

test('decimals of large fixed types have room at any position', () => {
  const money = { type: 'fixed', name: 'M', size: 3_000, logicalType: 'decimal', precision: 600, scale: 2 };
  const schema = decimalField({ type: 'array', items: money });
  const wants = [want('x', 'raw')];
  const decoder = compileJsonDecoder({ schema, wants });
  for (let count = 1; count < 20; count++) {
    const values = Array.from({ length: count }, (_, k) => 10n ** 400n * BigInt(k - 9));
    const json = `{"x":[${values.map((value) => decimalText({ unscaled: value, scale: 2 }))}]}`;
    const [got] = decodeOne(decoder, wants, Buffer.from(json)) as [Buffer];
    const { x } = oracle(schema).fromBuffer(got) as { readonly x: readonly Buffer[] };
    assert.deepEqual(
      x.map((each) => BigInt.asIntN(24_000, BigInt(`0x${each.toString('hex')}`))),
      values,
    );
  }
});

test('a fixed of any size is written as its digits, up to the limit of digits', () => {
  const size = 3_000;
  const money = { type: 'fixed', name: 'M', size, logicalType: 'decimal', precision: 7_000, scale: 2 };
  const schema = decimalField(money);
  const wants = wholeWants(schema);
  const fields = [{ name: 'x', source: { from: 'event' as const, slot: 0 } }];
  const most = 2n ** 2_047n;
  const asJson = (value: bigint): string | undefined => {
    const bytes = oracle(schema).toBuffer({ x: twosComplement(value, size) });
    const columns = columnsFor(wants, 1, bytes);
    assert.ok(compileAvroDecoder({ writer: schema, wants }).bind(bytes, columns)(0, bytes.length, 0));
    const slab = new RecordSlab(1, 16);
    const fits = compileJsonEncoder({ schema, fields, wants, predictions: [] }).bind(columns, [])(0, slab);
    return fits ? slab.arena.toString('utf8', 0, slab.used) : undefined;
  };
  for (const value of [0n, 1n, -1n, 127n, 128n, -128n, -129n, 255n, -256n, 32_768n, 10n ** 600n, most - 1n, -most]) {
    assert.equal(asJson(value), `{"x":${decimalText({ unscaled: value, scale: 2 })}}`);
    const shown = createAvroReader(schema)(oracle(schema).toBuffer({ x: twosComplement(value, size) }), 0);
    assert.equal(
      Number((shown as { readonly x: number | string }).x),
      Number(decimalText({ unscaled: value, scale: 2 })),
    );
  }
  assert.equal(asJson(most), undefined);
  assert.equal(asJson(-most - 1n), undefined);
});

const time = (logicalType: string, type = 'long') => timeTextOf({ type, logicalType } as never);

function read(text: string, logicalType: string, type?: string): number | undefined {
  const into = new Float64Array(1);
  const kind = time(logicalType, type);
  assert.ok(kind);
  return readTime(Buffer.from(`"${text}"`), 1, Buffer.byteLength(text) + 1, kind, into, 0) ? into[0] : undefined;
}

test('times agree with Date', () => {
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

test('text that is not a time is refused, not guessed', () => {
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

test('decimals and times in JSON may be numbers or text', () => {
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

test('in a union of times, text is the type that it fits, in any order of branches, as a number and as a whole value', () => {
  const date = { type: 'int', logicalType: 'date' };
  const moment = { type: 'long', logicalType: 'timestamp-millis' };
  const clock = { type: 'int', logicalType: 'time-millis' };
  const wants = [want('x', 'number'), want('x', 'raw')];
  for (const [branches, text, count, branch] of [
    [[date, moment], '2024-05-01T12:00:00Z', 1_714_564_800_000, 1],
    [[date, moment], '2024-05-01', 19_844, 0],
    [[moment, date], '2024-05-01', 19_844, 1],
    [['null', clock, moment], '2024-05-01T12:00:00Z', 1_714_564_800_000, 2],
    [['null', clock, moment], '12:00:00', 43_200_000, 1],
    [['null', clock, moment], '2024-05-01T12:00:00', undefined, 0],
    [['null', clock, moment], 'soon', undefined, 0],
  ] as const) {
    const schema = decimalField(branches);
    const got = decodeOne(compileJsonDecoder({ schema, wants }), wants, Buffer.from(`{"x":"${text}"}`));
    const what = `${text} of ${JSON.stringify(branches)}`;
    if (count === undefined) {
      assert.equal(got, undefined, what);
      continue;
    }
    assert.ok(got, what);
    const [number, whole] = got as [number, Buffer];
    assert.equal(number, count, what);
    const { x } = oracle(schema).fromBuffer(whole) as { readonly x: Record<string, unknown> };
    assert.deepEqual([whole[0] / 2, Number(Object.values(x)[0])], [branch, count], what);
  }
});
