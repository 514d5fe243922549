import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import avro from 'avsc';
import { type Ran, type RunSetup, runHere } from '../../../fixtures/io.ts';
import { type Codec, container } from './avro-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-formats-'));
after(() => rmSync(folder, { recursive: true }));

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const SCHEMA = JSON.parse(readFileSync('schemas/flight-departed.avsc', 'utf8')) as { fields: object[] };
const events = readFileSync(EVENTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, unknown>);

const at = (name: string): string => join(folder, name);

function file(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

function batch(input: string, output: string, more: readonly string[] = [], setup: RunSetup = {}): Promise<Ran> {
  return runHere(['batch', 'topologies/hello.yaml', '--input', input, '--output', output, ...more], setup);
}

const predictions = (await batch(EVENTS, '-')).stdout;

/** What avsc reads from a container. */
async function readContainer(name: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of avro.createFileDecoder(name)) values.push(value);
  return values;
}

for (const codec of ['null', 'deflate', 'zstandard', 'snappy'] as Codec[]) {
  test(`a container packed by ${codec} is scored as JSON Lines are`, async () => {
    const { code, stdout, stderr } = await batch(file(`${codec}.avro`, container(SCHEMA, events, codec, 77)), '-');
    assert.deepEqual([code, stdout], [0, predictions], stderr);
  });
}

test('a container of an older schema, packed once more, on standard input', async () => {
  const older = { ...SCHEMA, fields: [...[...SCHEMA.fields].reverse(), { name: 'more', type: ['null', 'string'] }] };
  const input = file(
    'older.avro.gz',
    gzipSync(
      container(
        older,
        events.map((event) => ({ ...event, more: 'x' })),
        'null',
      ),
    ),
  );
  assert.equal((await batch(input, '-')).stdout, predictions);
  const stdin = container(SCHEMA, events, 'deflate') as unknown as string;
  assert.equal((await batch('-', '-', ['--input-format', 'avro'], { stdin })).stdout, predictions);
});

test('predictions as a container are what avsc reads', async () => {
  const { code, stderr } = await batch(EVENTS, at('scored.avro'));
  assert.equal(code, 0, stderr);
  const read = (await readContainer(at('scored.avro'))).map((value) => JSON.parse(JSON.stringify(value)));
  const lines = predictions
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(read.length, 500);
  assert.deepEqual(read[7].id, lines[7].id);
  assert.ok(read.every((value, i) => Math.abs(value.probability - lines[i].probability) < 1e-6));
});

test('a container is valid even without records', async () => {
  assert.equal((await batch(file('none.avro', container(SCHEMA, [], 'null')), at('none-scored.avro'))).code, 0);
  assert.deepEqual(await readContainer(at('none-scored.avro')), []);
});

test('zstd is read and written, many frames as one', async () => {
  const text = readFileSync(EVENTS);
  const half = text.indexOf(10, text.length / 2) + 1;
  const input = Buffer.concat([zstdCompressSync(text.subarray(0, half)), zstdCompressSync(text.subarray(half))]);
  const { code, stderr } = await batch(file('in.jsonl.zst', input), at('out.jsonl.zst'));
  assert.equal(code, 0, stderr);
  assert.equal(zstdDecompressSync(readFileSync(at('out.jsonl.zst'))).toString() === predictions, true);
  const cut = await batch(file('cut.jsonl.zst', input.subarray(0, -9)), '-');
  assert.equal(cut.code, 1);
  assert.match(cut.stderr, /cannot unpack .*cut\.jsonl\.zst: it ends too soon/);
  const damaged = await batch(file('damaged.jsonl.zst', 'no zstd at all'), '-');
  assert.match(damaged.stderr, /damaged\.jsonl\.zst: it is not zstd, or damaged/);
});

const whole = container(SCHEMA, events, 'deflate', 50);
const flipped = Buffer.from(whole);
flipped[flipped.length - 40] ^= 0x55;
const bad: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['text', '{"id":1}\n', /text\.avro is no object container file of Avro .*--input-format/],
  ['short', whole.subarray(0, whole.length - 5), /short\.avro: it ends too soon/],
  ['flipped', flipped, /flipped\.avro: .*block 9|flipped\.avro: record 4\d\d/],
  [
    'other',
    container({ type: 'record', name: 'O', fields: [{ name: 'x', type: 'int' }] }, [{ x: 1 }], 'null'),
    /has no field "departed_at"/,
  ],
  ['list', container({ type: 'array', items: 'int' }, [[1]], 'null'), /must be an Avro record/],
];
for (const [name, content, message] of bad) {
  test(`a container that is none, or damaged (${name}), says so`, async () => {
    const { code, stderr } = await batch(file(`${name}.avro`, content), '-');
    assert.ok(code === 1 || code === 2, String(code));
    assert.match(stderr, message);
  });
}

test('an unknown codec is named along with the known ones', async () => {
  const named = Buffer.from(
    container(SCHEMA, [], 'deflate').toString('latin1').replace('deflate', 'rot-13x'),
    'latin1',
  );
  const { code, stderr } = await batch(file('rot.avro', named), '-');
  assert.equal(code, 2);
  assert.match(stderr, /rot\.avro is packed as rot-13x; null, deflate, zstandard, snappy can be read/);
});
