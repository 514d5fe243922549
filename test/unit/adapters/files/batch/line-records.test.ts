import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createFileSource } from '../../../../../src/adapters/files/batch/file-source.ts';
import { openLines } from '../../../../../src/adapters/files/batch/line-records.ts';
import { Credit } from '../../../../../src/kernel/credit.ts';
import type { SluiceError } from '../../../../../src/kernel/errors.ts';
import { OPEN, REASONS } from '../../../../../src/kernel/fate.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import type { Source } from '../../../../../src/ports/source.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { until } from '../../../../fixtures/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-source-'));
after(() => rmSync(folder, { recursive: true }));

interface Reading {
  readonly source: Source;
  readonly frames: Frame[];
  readonly file: string;
  /** How it went: `end`, or the error. */
  readonly over: Promise<'end' | SluiceError>;
  /** [offset, value] of every record, or [offset, reason, bytes] of one that was left behind. */
  records(): unknown[];
}

interface Setup {
  readonly credit?: Credit;
  readonly frameRecords?: number;
  readonly limit?: number;
  readonly onProgress?: (readBytes: number) => void;
  /** Whether frames are settled as they come. */
  readonly settles?: () => boolean;
}

const roomy = (): Credit => new Credit({ maxRecords: 1_000, maxBytes: 1 << 20 });

function read(name: string, content: string | Buffer | undefined, setup: Setup = {}): Reading {
  const {
    credit = roomy(),
    settles = () => true,
    frameRecords = 512,
    limit = Number.POSITIVE_INFINITY,
    onProgress = () => undefined,
  } = setup;
  const file = join(folder, name);
  if (content !== undefined) writeFileSync(file, content);
  const frames: Frame[] = [];
  const source = createFileSource(
    { clock: new FakeClock(5_000), credit },
    openLines(file, { onProgress, maxValueBytes: credit.maxBytes }),
    { name: file, frameRecords, limit },
  );
  const over = new Promise<'end' | SluiceError>((resolve) => {
    void source.start({
      onAssigned: () => undefined,
      onFrame(frame) {
        frames.push(frame);
        if (settles()) credit.give(frame.count, frame.bytes);
      },
      onAlone: async () => undefined,
      isHeld: () => false,
      onRevoking: () => Promise.reject(new Error('a file revokes nothing')),
      onRevoked: () => undefined,
      onEnd: () => resolve('end'),
      onFailed: resolve,
    });
  });
  return { source, frames, file, over, records: () => frames.flatMap(recordsOf) };
}

function recordsOf(frame: Frame): unknown[] {
  return Array.from(frame.offsets, (offset, i) =>
    frame.fate[i] === OPEN
      ? [offset, frame.arena.toString('utf8', frame.valueStart[i], frame.valueEnd[i])]
      : [offset, REASONS[frame.reason[i]], frame.valueBytes[i]],
  );
}

const TWO = [
  [0, '{"a":1}'],
  [1, '{"a":2}'],
];

for (const [title, name, content, expected] of [
  ['lines', 'plain', '{"a":1}\n{"a":2}\n', TWO],
  ['lines of which the last has no end', 'open-end', '{"a":1}\n{"a":2}', TWO],
  ['lines that end as on Windows, after a byte order mark', 'crlf', '\ufeff{"a":1}\r\n{"a":2}\r\n', TWO],
  ['packed lines', 'packed.gz', gzipSync('{"a":1}\n{"a":2}\n'), TWO],
  ['two packed files, one after the other', 'two.gz', Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"a":2}')]), TWO],
  [
    'empty lines, which keep their numbers',
    'gaps',
    '\n{"a":1}\n\r\n\n{"a":2}\n\n',
    [
      [1, TWO[0][1]],
      [4, TWO[1][1]],
    ],
  ],
  [
    'whatever is no text',
    'binary',
    Buffer.from([0xff, 10, 0, 10]),
    [
      [0, '\ufffd'],
      [1, '\0'],
    ],
  ],
  ['nothing', 'empty', '', []],
  ['nothing, packed', 'empty.gz', gzipSync(''), []],
] as const) {
  test(`a file gives a record a line: ${title}`, async () => {
    const reading = read(name, content);
    assert.equal(await reading.over, 'end');
    assert.deepEqual(reading.records(), expected);
  });
}

test('frames say where they come from and when, and are no larger than asked for', async () => {
  const reading = read('frames', '1\n2\n\n4\n5\n', { frameRecords: 2 });
  assert.equal(await reading.over, 'end');
  assert.deepEqual(
    reading.frames.map(({ count, nextOffset, receivedAtMs }) => ({ count, nextOffset, receivedAtMs })),
    [
      { count: 2, nextOffset: 2, receivedAtMs: 5_000 },
      { count: 2, nextOffset: 5, receivedAtMs: 5_000 },
    ],
  );
  assert.deepEqual(reading.frames[1].origin, { topic: reading.file, partition: 0, epoch: 0 });
  assert.equal(reading.frames[0].origin, reading.frames[1].origin);
  assert.deepEqual([...reading.frames[0].timestamps], [5_000, 5_000]);
});

test('lines that span reads are whole, and progress is the bytes read', async () => {
  const lines = Array.from({ length: 9 }, (_, i) => String(i).repeat(70_001));
  const progress: number[] = [];
  const content = lines.join('\n');
  const reading = read('long', content, { onProgress: (bytes) => progress.push(bytes) });
  assert.equal(await reading.over, 'end');
  assert.deepEqual(
    reading.records(),
    Object.entries(lines).map(([i, line]) => [Number(i), line]),
  );
  assert.equal(progress.at(-1), content.length);
  assert.ok(progress.length > 1);
});

test('a line larger than the credit goes by reference; one that fills it goes as it is', async () => {
  const credit = new Credit({ maxRecords: 10, maxBytes: 8 });
  const reading = read('large', `${'x'.repeat(9)}\r\n${'y'.repeat(8)}\r\n${'z'.repeat(600_000)}\nab`, { credit });
  assert.equal(await reading.over, 'end');
  assert.deepEqual(reading.records(), [
    [0, 'too-large', 9],
    [1, 'yyyyyyyy'],
    [2, 'too-large', 600_000],
    [3, 'ab'],
  ]);
  assert.deepEqual([credit.records, credit.bytes], [0, 0]);
});

test('no more is read ahead than the credit allows, in records and in bytes', async () => {
  for (const [limits, held] of [
    [{ maxRecords: 3, maxBytes: 100 }, 3],
    [{ maxRecords: 100, maxBytes: 5 }, 5],
  ] as const) {
    const credit = new Credit(limits);
    let settling = false;
    const reading = read('credit', 'a\nb\nc\nd\ne\nf\ng\n', { credit, settles: () => settling });
    await until('the source waits for credit', () => credit.waiting === 1);
    assert.deepEqual([reading.records().length, credit.records, credit.bytes], [held, held, held]);
    settling = true;
    credit.give(held, held);
    assert.equal(await reading.over, 'end');
    assert.equal(reading.records().length, 7);
  }
});

test('a limit ends the reading; a limit beyond the end does not matter', async () => {
  for (const [limit, count] of [
    [2, 2],
    [3, 3],
    [9, 3],
  ]) {
    const reading = read('limit', '1\n\n2\n3\n', { limit, frameRecords: 2 });
    assert.equal(await reading.over, 'end');
    assert.equal(reading.records().length, count);
  }
});

test('after a halt nothing is handed over, credit or not, and the end is not told', async () => {
  const credit = new Credit({ maxRecords: 1, maxBytes: 100 });
  const reading = read('halt', '1\n2\n3\n', { credit, settles: () => false });
  let over = false;
  void reading.over.then(() => {
    over = true;
  });
  await until('the source waits for credit', () => credit.waiting === 1);
  // Granted, but the source has not gone on yet when it is told to halt.
  credit.give(1, 1);
  await reading.source.halt();
  await reading.source.halt();
  await until('the credit is back', () => credit.records === 0);
  assert.equal(credit.bytes, 0);
  assert.deepEqual(reading.records(), [[0, '1']]);
  await reading.source.close();
  assert.equal(over, false);
});

for (const [title, name, content, code, message] of [
  ['is not there', 'none', undefined, 'file-missing', /there is no file .*none$/],
  ['is not there, packed', 'none.gz', undefined, 'file-missing', /there is no file .*none\.gz$/],
  ['is a folder', '.', undefined, 'file-failed', /cannot read .*EISDIR/],
  [
    'ends in the middle of its packing',
    'cut.gz',
    gzipSync('{"a":1}\n'.repeat(999)).subarray(0, 40),
    'file-failed',
    /cannot unpack .*cut\.gz: it ends too soon/,
  ],
  [
    'is not packed, though its name says so',
    'no.gz',
    '{"a":1}\n',
    'file-failed',
    /cannot unpack .*no\.gz: it is not gzip, or damaged/,
  ],
] as const) {
  test(`a file that ${title} fails the run with its name`, async () => {
    const error = (await read(name, content).over) as SluiceError;
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}
