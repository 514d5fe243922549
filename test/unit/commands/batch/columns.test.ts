import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { type Ran, runHere } from '../../../fixtures/io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-columns-'));
after(() => rmSync(folder, { recursive: true }));

type Flight = { id: number; departed_at: number; origin: string; destination: string; distance: number };
const EVENTS = 'examples/flight-delay/events-500.jsonl';
const flights = readFileSync(EVENTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Flight);
const NAMES = ['distance', 'unused', 'id', 'departed_at', 'origin', 'destination'] as const;

const at = (name: string): string => join(folder, name);

function file(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

function batch(input: string, output: string, more: readonly string[] = []): Promise<Ran> {
  return runHere(['batch', 'topologies/hello.yaml', '--input', input, '--output', output, ...more]);
}

const predictions = (await batch(EVENTS, '-')).stdout;
const rowOf = (flight: Flight): string =>
  [flight.distance, '"a ""b"", c\nd"', flight.id, flight.departed_at, flight.origin, `"${flight.destination}"`].join(
    ',',
  );

test('CSV, with quotes and extra columns in any order, is scored like JSON Lines', async () => {
  for (const [name, end] of [
    ['lf', '\n'],
    ['crlf', '\r\n'],
  ]) {
    const text = `\ufeff${[NAMES.join(','), ...flights.map(rowOf)].join(end)}${end}${end}`;
    const { code, stdout, stderr } = await batch(file(`${name}.csv`, text), '-');
    assert.deepEqual([code, stdout === predictions], [0, true], stderr);
  }
});

test('malformed CSV rows are dead letters with their line number', async () => {
  const good = '991356180000,ANC,PDX,1542';
  const lines = [
    'id,departed_at,origin,destination,distance',
    `1,${good}`,
    `2,${good},7`,
    '',
    `x,${good}`,
    `3,a"${good}`,
    `4,${good}`,
  ];
  lines.push('5,991356180000,,,', '6,991356180000,"A\nB",PDX,15.0', '7,,ANC,PDX,1', `"8,${good}`, `9,${good}`);
  const { code, stdout, stderr } = await batch(file('bad.csv', lines.join('\n')), '-', [
    '--dead-letters',
    at('bad.jsonl'),
  ]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).id),
    [1, 4, 5, 6],
  );
  const dead = readFileSync(at('bad.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    dead.map(({ offset, reason }) => [Number(offset), reason]),
    [2, 4, 5, 10, 11].map((line) => [line, 'decode-failed']),
  );
  assert.equal(dead[0].value, `2,${good},7`);
});

test('a column that every record needs, and is not there, is named before anything is scored', async () => {
  const csv = await batch(file('short.csv', 'id,origin\n1,ANC\n'), '-');
  assert.equal(csv.code, 2);
  assert.match(
    csv.stderr + csv.stdout,
    /short\.csv has no column departed_at, which the topology needs; it has id, origin/,
  );
  const bytes = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'id', data: [1], type: 'INT32' }] }));
  const parquet = await batch(file('short.parquet', bytes), '-');
  assert.equal(parquet.code, 2);
  assert.match(parquet.stderr, /short\.parquet has no column departed_at/);
  assert.match((await batch(file('empty.csv', ''), '-')).stderr, /empty\.csv has no header line: it is empty/);
});

function parquet(rowGroupSize: number): Buffer {
  const column = <K extends keyof Flight>(name: K): Flight[K][] => flights.map((flight) => flight[name]);
  return Buffer.from(
    parquetWriteBuffer({
      rowGroupSize,
      columnData: [
        { name: 'id', data: column('id').map(BigInt), type: 'INT64' },
        { name: 'unused', data: flights.map((_, i) => ({ i })), type: 'JSON' },
        { name: 'departed_at', data: column('departed_at').map((ms) => new Date(ms)), type: 'TIMESTAMP' },
        { name: 'origin', data: column('origin'), type: 'STRING' },
        { name: 'destination', data: column('destination'), type: 'STRING' },
        { name: 'distance', data: column('distance'), type: 'DOUBLE' },
      ],
    }),
  );
}

test('Parquet with many row groups and timestamps is scored like JSON Lines', async () => {
  const { code, stdout, stderr } = await batch(file('in.parquet', parquet(130)), '-');
  assert.deepEqual([code, stdout === predictions], [0, true], stderr);
  const few = await batch(at('in.parquet'), '-', ['--limit', '131']);
  assert.equal(few.stdout, `${predictions.split('\n').slice(0, 131).join('\n')}\n`);
});

test('invalid Parquet, compressed Parquet, or Parquet on standard input is refused with the reason', async () => {
  assert.match(
    (await batch(file('text.parquet', 'id,origin\n1,2\n'), '-')).stderr,
    /cannot read .*text\.parquet as Parquet/,
  );
  assert.match(
    (await batch('-', '-', ['--input-format', 'parquet'])).stderr,
    /Parquet is read from its end.*standard input/,
  );
  const cut = parquet(130);
  cut.fill(0x55, 200, 3_000);
  assert.match((await batch(file('cut.parquet', cut), '-')).stderr, /cut\.parquet, row group 0 as Parquet/);
});

const wanted = predictions
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { id: number; probability: number });

test('predictions as CSV have a header and every digit', async () => {
  assert.equal((await batch(EVENTS, at('out.csv.gz'))).code, 0);
  const rows = parse(gunzipSync(readFileSync(at('out.csv.gz'))), { columns: true }) as {
    id: string;
    probability: string;
  }[];
  assert.deepEqual(
    rows.map(({ id, probability }) => ({ id: Number(id), probability: Number(probability) })),
    wanted,
  );
});

test('predictions as Parquet have the types of the schema', async () => {
  assert.equal((await batch(EVENTS, at('out.parquet'))).code, 0);
  const read = await asyncBufferFromFile(at('out.parquet'));
  const { children } = parquetSchema(await parquetMetadataAsync(read));
  assert.deepEqual(
    children.map(({ element }) => [element.name, element.type]),
    [
      ['id', 'INT64'],
      ['probability', 'FLOAT'],
    ],
  );
  const rows = await parquetReadObjects({ file: read });
  assert.deepEqual(
    rows.map(({ id }) => Number(id)),
    wanted.map(({ id }) => id),
  );
  assert.ok(rows.every(({ probability }, i) => Math.fround(wanted[i].probability) === probability));
});
