import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOUBLE, FLOAT, INT } from '../../../../src/codecs/json/fields.ts';
import { JsonCursor } from '../../../../src/codecs/json/scan.ts';
import { readItems } from '../../../../src/codecs/json/vector.ts';
import { mulberry32 } from '../support.ts';

/** The items of the text between the brackets, with digits after it in memory; undefined: refused. */
function read(text: string, width: number, types = DOUBLE): number[] | undefined {
  const bytes = Buffer.from(`7${text}]12345678`);
  const cursor = new JsonCursor(bytes);
  cursor.start(1, bytes.length - 8);
  const into = new Float64Array(width + 2).fill(-1);
  if (!readItems(cursor, types, into, 1, 1 + width)) return undefined;
  assert.equal(cursor.at, bytes.length - 8, 'the cursor is behind the bracket');
  assert.deepEqual([into[0], into[width + 1]], [-1, -1]);
  return [...into.subarray(1, 1 + width)];
}

function parsed(text: string): number[] | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(`[${text}]`) as number[];
  } catch {
    return undefined;
  }
}

/** Numbers of every length before and after the point, with signs, zeros and exponents; some are invalid. */
function randomNumber(random: () => number): string {
  const digits = (most: number): string =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => Math.floor(random() * 10)).join('');
  const whole = random() < 0.4 ? '0' : random() < 0.1 ? digits(11) : `${1 + Math.floor(random() * 9)}${digits(9)}`;
  const fraction = random() < 0.7 ? `.${digits(random() < 0.1 ? 20 : 9)}` : '';
  const exponent =
    random() < 0.1 ? `${random() < 0.5 ? 'e' : 'E'}${['', '+', '-'][Math.floor(random() * 3)]}${digits(2)}` : '';
  return `${random() < 0.3 ? '-' : ''}${whole}${fraction}${exponent}`;
}

test('numbers are read as by JSON.parse, to the last bit, or refused', () => {
  const random = mulberry32(11);
  for (let turn = 0; turn < 20_000; turn++) {
    const text = randomNumber(random);
    const wanted = parsed(text);
    assert.deepEqual(read(text, 1), wanted, text);
    assert.deepEqual(
      read(`${text},${text}`, 2),
      wanted?.flatMap((value) => [value, value]),
      text,
    );
    const rounded = wanted?.map(Math.fround);
    assert.deepEqual(read(text, 1, FLOAT), rounded?.every(Number.isFinite) ? rounded : undefined, text);
  }
});

test('other values than numbers, and another count of them, are refused', () => {
  for (const text of [
    '',
    '-',
    '.5',
    '1.',
    '01',
    '-01',
    '00',
    '1.e3',
    '1e',
    '+1',
    '0x1',
    'NaN',
    '1 2',
    '1,',
    ',1',
    '--1',
    '0.12a',
    '0.1234:',
    '1.5.5',
  ])
    assert.equal(read(text, 1), undefined, text);
  assert.equal(read('1', 2), undefined);
  assert.equal(read('1,2,3', 2), undefined);
  assert.deepEqual(read(' 1 ,\n0.25\t, -3.5 ', 3), [1, 0.25, -3.5]);
  assert.equal(read('1.5', 1, INT), undefined);
  assert.deepEqual(read('1.0', 1, INT), [1]);
});

test('a value cut anywhere is refused, whatever follows it', () => {
  const text = '0.123456,12345.5,0.25]';
  for (let length = 0; length < text.length; length++) {
    const bytes = Buffer.from(text);
    const cursor = new JsonCursor(bytes);
    cursor.start(0, length);
    assert.equal(readItems(cursor, DOUBLE, new Float64Array(3), 0, 3), false, `cut to ${length}`);
  }
});
