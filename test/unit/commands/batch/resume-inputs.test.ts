/** Going on within an input of every format. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { type Bookmark, readBookmark } from '../../../../src/commands/batch/bookmark.ts';
import { runHere } from '../../../fixtures/io.ts';
import { container } from './avro-files.ts';
import { stoppedBatch } from './stopped.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-resume-inputs-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const TOPOLOGY = at('small.yaml');
const hello = readFileSync('topologies/hello.yaml', 'utf8');
writeFileSync(TOPOLOGY, hello.replace(/^flow:/m, 'flow:\n  maxInFlight: { records: 20 }\n  maxBatch: 20'));
const FILE = 'examples/flight-delay/events-500.jsonl';
const EVENTS = readFileSync(FILE, 'utf8');
const whole = (await runHere(['batch', TOPOLOGY, '--input', FILE, '--output', '-'])).stdout;

const flights = EVENTS.trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, string | number | null>);
const columns = ['id', 'departed_at', 'origin', 'destination', 'distance'];
const inputs: readonly (readonly [string, Buffer])[] = [
  ['in.jsonl.zst', zstdCompressSync(EVENTS)],
  // Rows of two lines: an offset is the number of a line, and they have gaps.
  [
    'in.csv',
    Buffer.from(
      [
        `${columns.join()},"no\nte"`,
        ...flights.map((each) => `${columns.map((name) => each[name] ?? '').join()},"a\nb"`),
      ].join('\n'),
    ),
  ],
  ['in.avro', container(JSON.parse(readFileSync('schemas/flight-departed.avsc', 'utf8')), flights, 'deflate', 70)],
  [
    'in.parquet',
    Buffer.from(
      parquetWriteBuffer({
        rowGroupSize: 130,
        columnData: columns.map((name) => ({
          ...{
            name,
            data: flights.map((each) =>
              name === 'id' || name === 'departed_at' ? BigInt(each[name] as number) : each[name],
            ),
          },
          type: ({ id: 'INT64', departed_at: 'INT64', distance: 'DOUBLE' } as const)[name] ?? 'STRING',
        })),
      }),
    ),
  ],
];
for (const [name, bytes] of inputs) {
  test(`a batch of ${name} goes on where it stood`, async () => {
    const [input, output] = [at(name), at(`${name}.out`)];
    writeFileSync(input, bytes);
    await stoppedBatch({ topology: TOPOLOGY, input, output }, 15);
    const { next } = readBookmark(`${output}.bookmark`) as Bookmark;
    assert.ok(next[0] > 0 && readFileSync(output).length < whole.length);
    const { code, stderr } = await runHere(['batch', TOPOLOGY, '--input', input, '--output', output, '--resume']);
    assert.equal(code, 0, stderr);
    assert.equal(readFileSync(output, 'utf8'), whole);
  });
}
