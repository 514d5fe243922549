import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { avroRows } from '../../../../src/adapters/files/batch/avro-rows.ts';
import { LINES, type RowFormat } from '../../../../src/adapters/files/batch/row-formats.ts';
import { createFileSink, type FileSink } from '../../../../src/adapters/files/file-sink.ts';
import { encodeHeaders } from '../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import { seeded } from '../../../fixtures/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-sink-'));
after(() => rmSync(folder, { recursive: true }));

function slab(...values: readonly (string | Buffer | null)[]): RecordSlab {
  const rows = new RecordSlab(1, 8);
  for (const value of values) rows.append(0, Buffer.from('key'), value === null ? null : Buffer.from(value), null);
  return rows;
}

/** A stream that keeps what it is given, one write at a time, when told so. */
class Slow extends Writable {
  text = '';
  #next: (() => void)[] = [];
  override _write(chunk: Buffer, _: string, done: (error?: Error | null) => void): void {
    this.text += chunk;
    this.#next.push(done);
  }
  go(): void {
    this.#next.shift()?.();
  }
}

/** Of a container of text, a line a value. */
function valuesOf(container: Buffer): string {
  let text = '';
  const { blocks, sync } = blocksOf(container);
  for (const block of blocks) {
    const values = inflateRawSync(block);
    for (let at = 0; at < values.length; at += 1 + values[at] / 2) {
      text += `${values.toString('utf8', at + 1, at + 1 + values[at] / 2)}\n`;
    }
  }
  assert.equal(sync.length, 16);
  return text;
}

/** Blocks of less than 64 bytes. */
function blocksOf(container: Buffer): { blocks: Buffer[]; sync: Buffer } {
  const sync = container.subarray(-16);
  const blocks: Buffer[] = [];
  for (let at = container.indexOf(sync) + 16; at < container.length; ) {
    const bytes = container[at + 1] / 2;
    blocks.push(container.subarray(at + 2, at + 2 + bytes));
    at += 2 + bytes + 16;
  }
  return { blocks, sync };
}

interface Setup {
  readonly output: string;
  readonly deadLetters?: string;
  readonly format?: RowFormat;
  readonly keepBytes?: Readonly<Record<string, number>>;
  readonly stdout?: Writable;
}

async function open(setup: Setup): Promise<{ sink: FileSink; gone: () => number }> {
  let gone = 0;
  const sink = createFileSink({
    outputs: { out: setup.output },
    ...(setup.format && { format: setup.format }),
    ...(setup.keepBytes && { keepBytes: setup.keepBytes }),
    deadLetters: { topic: 'dead', file: setup.deadLetters },
    stdout: setup.stdout ?? new Slow(),
    onReaderGone: () => {
      gone++;
    },
  });
  await sink.open(['out', 'dead']);
  return { sink, gone: () => gone };
}

for (const [name, unpack] of [
  ['out.jsonl', (bytes: Buffer) => bytes],
  ['out.jsonl.gz', gunzipSync],
] as const) {
  test(`values go to ${name}, a line each, in order`, async () => {
    const output = join(folder, name);
    const { sink } = await open({ output });
    assert.equal(sink.partitionCount('out'), 1);
    await sink.send('out', 0, slab('1', '22'));
    await sink.send('out', 0, slab('€'));
    await sink.close();
    await sink.close();
    assert.equal(unpack(readFileSync(output)).toString('utf8'), '1\n22\n€\n');
  });
}

test('a file of an earlier run is written anew', async () => {
  const output = join(folder, 'again');
  for (const value of ['long long long', 'short']) {
    const { sink } = await open({ output });
    await sink.send('out', 0, slab(value));
    await sink.close();
  }
  assert.equal(readFileSync(output, 'utf8'), 'short\n');
});

for (const [name, format, read] of [
  ['flushed.jsonl.gz', LINES, (bytes: Buffer) => gunzipSync(bytes).toString()],
  ['flushed.avro', avroRows({ type: 'string' }, 'deflate'), valuesOf],
] as const) {
  test(`${name}: what is closed in the middle of a flush has all its rows; one that is gone on with has what was flushed`, async () => {
    const output = join(folder, name);
    const row = (text: string): RecordSlab =>
      slab(name.endsWith('.avro') ? Buffer.from([2 * text.length, ...Buffer.from(text)]) : text);
    const { sink } = await open({ output, format });
    await sink.send('out', 0, row('1'));
    const keep = (await sink.flush()).get('out') ?? 0;
    await sink.send('out', 0, row('lost'));
    const flushed = sink.flush();
    await sink.close();
    assert.equal((await flushed).get('out'), readFileSync(output).length);
    assert.equal(read(readFileSync(output)), '1\nlost\n');
    const again = await open({ output, format, keepBytes: { out: keep } });
    await again.sink.send('out', 0, row('2'));
    await again.sink.close();
    assert.equal(read(readFileSync(output)), '1\n2\n');
  });
}

test('standard output is acknowledged when it has taken the lines, and stays open', async () => {
  const stdout = new Slow();
  const { sink } = await open({ output: '-', stdout });
  let taken = false;
  const sent = sink.send('out', 0, slab('1')).then(() => {
    taken = true;
  });
  await new Promise(setImmediate);
  assert.deepEqual([stdout.text, taken], ['1\n', false]);
  stdout.go();
  await sent;
  await sink.close();
  assert.equal(stdout.writable, true);
});

test('a reader that has gone is told of before the send fails; another failure is not that', async () => {
  for (const [code, times] of [
    ['EPIPE', 1],
    ['ENOSPC', 0],
  ] as const) {
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error(`write ${code}`), { code }));
      },
    });
    stdout.on('error', () => undefined);
    const { sink, gone } = await open({ output: '-', stdout });
    const seen: number[] = [];
    await assert.rejects(
      sink.send('out', 0, slab('1')).catch((error) => {
        seen.push(gone());
        throw error;
      }),
      { code: 'file-failed', disposition: 'fatal', message: `cannot write standard output: write ${code}` },
    );
    assert.deepEqual(seen, [times]);
  }
});

test('a dead letter is a line with its headers by name, and its value as text or, where it is none, in base64', async () => {
  const deadLetters = join(folder, 'dead');
  const { sink } = await open({ output: join(folder, 'o'), deadLetters });
  const headers = encodeHeaders([
    { name: '__dlq.errors.reason', value: Buffer.from('decode-failed') },
    { name: '__dlq.errors.offset', value: Buffer.from('7') },
    { name: 'trace', value: null },
  ]);
  const rows = new RecordSlab(4, 64);
  for (const value of [Buffer.from('{"broken":\n"ü"'), Buffer.from([0xff, 0xfe]), null, Buffer.alloc(0)])
    rows.append(0, null, value, headers);
  await sink.send('dead', 0, rows);
  await sink.close();
  const lines = readFileSync(deadLetters, 'utf8').split('\n');
  assert.equal(lines.pop(), '');
  const named = { reason: 'decode-failed', offset: '7', trace: null };
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      { ...named, value: '{"broken":\n"ü"' },
      { ...named, valueBase64: '//4=' },
      { ...named, value: null },
      { ...named, value: '' },
    ],
  );
});

test('dead letters that nobody asked for are taken without a file', async () => {
  const { sink } = await open({ output: join(folder, 'only') });
  await sink.send('dead', 0, slab('bad'));
  await sink.close();
  assert.equal(readFileSync(join(folder, 'only'), 'utf8'), '');
});

test('a file that cannot be made is refused at once', async () => {
  const output = join(folder, 'no', 'such', 'folder');
  await assert.rejects(open({ output }), {
    code: 'file-invalid',
    disposition: 'usage',
    message: /cannot write .*ENOENT/,
  });
});

const FULL = '/dev/full';
const onlyWithFull = { skip: existsSync(FULL) ? false : 'no device here that is always full' };

test('a full disk fails the send, and the end', onlyWithFull, async () => {
  const { sink } = await open({ output: FULL });
  const expected = { code: 'file-failed', disposition: 'fatal', message: /cannot write \/dev\/full: ENOSPC/ };
  await assert.rejects(sink.send('out', 0, slab('1')), expected);
  await assert.rejects(sink.send('out', 0, slab('2')), expected);
  await assert.rejects(sink.close(), expected);
});

test(
  'behind a packer, a full disk fails the end, whatever was taken before; and every further call',
  onlyWithFull,
  async () => {
    const output = join(folder, 'full.gz');
    symlinkSync(FULL, output);
    const { sink } = await open({ output });
    await sink.send('out', 0, slab('1'));
    const expected = { code: 'file-failed', message: /cannot write .*full\.gz: ENOSPC/ };
    await assert.rejects(sink.close(), expected);
    await assert.rejects(sink.close(), expected);
  },
);

test('behind a packer, a full disk ends a send that waits for room', onlyWithFull, async () => {
  const output = join(folder, 'fuller.gz');
  symlinkSync(FULL, output);
  const { sink } = await open({ output });
  // What does not pack fills the buffers on the way, so that some send is under way when the disk says no.
  const random = seeded(1);
  const noise = Buffer.from(Uint8Array.from({ length: 1 << 18 }, () => random() * 256));
  const expected = { code: 'file-failed', message: /fuller\.gz: ENOSPC/ };
  await assert.rejects(async () => {
    for (let n = 0; n < 100; n++) await sink.send('out', 0, slab(noise));
  }, expected);
  await assert.rejects(sink.close(), expected);
});
