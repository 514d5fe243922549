import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FAULTS, matrix, rowsOf } from './matrix.ts';

const ROOT = new URL('../../', import.meta.url);
const ROWS = 37;
/** At least these many of them are run, and only some may be argued away. */
const AT_LEAST = 33;
const MAY_BE_ARGUED = [27, 28, 29, 30];

test('every row of the fault matrix has a test, or an argument where one is allowed', () => {
  const rows = matrix();
  assert.equal(rows.length, ROWS);
  const without = rows.filter(({ tests, argued }) => tests.length === 0 && argued === undefined);
  assert.deepEqual(
    without.map(({ row, fault }) => `${row}: ${fault}`),
    [],
  );
  const argued = rows.filter(({ tests }) => tests.length === 0).map(({ row }) => row);
  for (const row of argued) assert.ok(MAY_BE_ARGUED.includes(row), `row ${row} may not be argued away`);
  assert.ok(ROWS - argued.length >= AT_LEAST, `only ${ROWS - argued.length} rows are run`);
});

test('every named test is in its file, and titles name only rows that exist', () => {
  for (const { tests } of matrix()) {
    for (const { file, title } of tests) {
      const path = fileURLToPath(new URL(file, ROOT));
      assert.ok(existsSync(path), file);
      const [, words] = title.split(/: (.*)/);
      assert.ok(readFileSync(path, 'utf8').includes(words), `${file} has no test "${title}"`);
      for (const row of rowsOf(title)) assert.ok(FAULTS[row], `${file}: "${title}" names row ${row}`);
    }
  }
});

test('rows are read from titles', () => {
  assert.deepEqual(rowsOf('row 7: the coordinator moves'), [7]);
  assert.deepEqual(rowsOf('rows 1, 5, 36: kill'), [1, 5, 36]);
  assert.deepEqual(rowsOf('rows 17 and 35: bad'), [17, 35]);
  assert.deepEqual(rowsOf('rows of a frame: whole'), []);
});
