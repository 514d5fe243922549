import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Bookmark, readBookmark } from '../../../../src/commands/batch/bookmark.ts';
import type { BatchOptions } from '../../../../src/commands/batch/options.ts';
import { checkRest } from '../../../../src/commands/batch/resume.ts';
import { type Ran, runHere } from '../../../fixtures/io.ts';
import { stoppedBatch } from './stopped.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-resume-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

/** Frames of 20 records. */
const TOPOLOGY = at('small.yaml');
const hello = readFileSync('topologies/hello.yaml', 'utf8');
const SMALL = hello.replace(/^flow:/m, 'flow:\n  maxInFlight: { records: 20 }\n  maxBatch: 20');
writeFileSync(TOPOLOGY, SMALL);
const INPUT = at('in.jsonl');
const EVENTS = readFileSync('examples/flight-delay/events-500.jsonl', 'utf8');
writeFileSync(INPUT, EVENTS);

function run(output: string, ...more: string[]): Promise<Ran> {
  return runHere(['batch', TOPOLOGY, '--input', INPUT, '--output', output, ...more]);
}

/** SIGTERM at about the n-th frame. */
function stopped(output: string, readings: number, options: Partial<BatchOptions> = {}): Promise<string> {
  return stoppedBatch({ topology: TOPOLOGY, input: INPUT, output, ...options }, readings);
}

const whole = (await run('-')).stdout;

for (const [name, options] of [
  ['stopped', {}],
  ['stopped at a stop', { bookmarkEveryMs: 0 }],
] as const) {
  test(`a batch that was ${name} says how it goes on, and goes on`, async () => {
    const output = at(`${name}.jsonl`);
    const said = await stopped(output, 15, options);
    assert.match(said, /stopped by SIGTERM: the rest of the input is not scored; --resume goes on where it stands\n$/);
    const { next, keep, counts } = readBookmark(`${output}.bookmark`) as Bookmark;
    assert.ok(next[0] > 0 && next[0] < 500 && counts.published === next[0], JSON.stringify(next));
    assert.equal(keep.output, readFileSync(output).length);
    // As if more had been written behind the bookmark.
    writeFileSync(output, `${readFileSync(output, 'utf8')}{"half":`);
    const { code, stderr } = await run(output, '--resume');
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      new RegExp(`^resuming after ${next[0]} records, according to .*\\.bookmark\n500 predictions in `),
    );
    assert.equal(readFileSync(output, 'utf8'), whole);
    const again = await run(output, '--resume');
    assert.match(
      again.stderr,
      /^(.*\.jsonl) is complete, and nothing is left to do \(500 records done, according to (\1\.bookmark)\); to score it again, leave out --resume, or remove \2 and \1\n500 predictions in /,
    );
    assert.deepEqual([again.code, readFileSync(output, 'utf8')], [0, whole]);
  });
}

test('--resume starts over after a complete output of another input', async () => {
  const output = at('nightly.jsonl');
  await run(output, '--resume');
  writeFileSync(INPUT, EVENTS.split('\n').slice(0, 100).join('\n'));
  const { code, stderr } = await run(output, '--resume');
  writeFileSync(INPUT, EVENTS);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^.*nightly\.jsonl is complete, and the input has changed; starting over\n100 predictions in /);
  assert.equal(readFileSync(output, 'utf8'), whole.split('\n').slice(0, 100).join('\n').concat('\n'));
});

test('a complete batch leaves no bookmark, unless --resume was given', async () => {
  const output = at('tidy.jsonl');
  await run(output, '--resume');
  assert.equal(readBookmark(`${output}.bookmark`)?.whole, true);
  const { stderr } = await run(output);
  assert.match(stderr, /^500 predictions in /);
  assert.equal(existsSync(`${output}.bookmark`), false);
});

test('a limit counts from the beginning of the input, over all runs', async () => {
  const output = at('limited.jsonl');
  await stopped(output, 15);
  const { code, stderr } = await run(output, '--resume', '--limit', '450', '--json');
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(output, 'utf8'), whole.split('\n').slice(0, 450).join('\n').concat('\n'));
  for (const [limit, nothingLeft] of [
    [450, true],
    [400, true],
    [600, undefined],
    [600, true],
    [700, true],
  ] as const) {
    const { stdout } = await run(output, '--resume', '--limit', String(limit), '--json');
    assert.equal(JSON.parse(stdout).nothingLeft, nothingLeft, `limit ${limit}`);
  }
  assert.equal(readFileSync(output, 'utf8'), whole);
});

test('a bookmark no longer says complete while a larger limit is being worked on', async () => {
  const [input, output] = [at('more.jsonl.gz'), at('more.jsonl')];
  const packed = gzipSync(EVENTS);
  writeFileSync(input, packed);
  utimesSync(input, 1, 1);
  const more = (...args: string[]) =>
    runHere(['batch', TOPOLOGY, '--input', input, '--output', output, '--resume', ...args]);
  assert.equal((await more('--limit', '100')).code, 0);
  assert.equal(readBookmark(`${output}.bookmark`)?.whole, true);
  // Its checksum is another one: the run that goes on fails at the end, and writes no bookmark after its first.
  writeFileSync(input, packed.fill(0, packed.length - 8));
  utimesSync(input, 1, 1);
  const { code, stderr } = await more();
  assert.equal(code, 1, stderr);
  assert.equal(readBookmark(`${output}.bookmark`)?.whole, false);
});

test('where nothing was begun --resume begins, and says how many there were before as JSON', async () => {
  const output = at('begun.jsonl');
  const first = JSON.parse((await run(output, '--resume', '--json')).stdout);
  assert.deepEqual([first.published, first.before], [500, undefined]);
  await stopped(at('begun-2.jsonl'), 15);
  const second = JSON.parse((await run(at('begun-2.jsonl'), '--resume', '--json')).stdout);
  assert.equal(second.published, 500);
  assert.ok(second.before.published > 0 && second.before.published < 500);
});

test('without --resume an unfinished batch starts over, and says so', async () => {
  const output = at('anew.jsonl');
  await stopped(output, 15);
  const { stderr } = await run(output);
  assert.match(
    stderr,
    /^.*anew\.jsonl\.bookmark is from an unfinished run; starting over \(--resume would have continued it\)\n500 /,
  );
  assert.equal(readFileSync(output, 'utf8'), whole);
});

const changes: readonly (readonly [string, (output: string) => void, RegExp])[] = [
  [
    'another input',
    () => writeFileSync(INPUT, `${EVENTS}${EVENTS}`),
    /cannot resume .*: the input was \(.*in\.jsonl, \d+ bytes of .*\) when the batch began, and is now \(.*\), according to .*\.bookmark; restore the old one, or leave out --resume to start over/,
  ],
  ['an input that was touched', () => utimesSync(INPUT, 1, 1), /the input was /],
  [
    'other settings',
    () => writeFileSync(TOPOLOGY, SMALL.replace('event.id', 'event.departed_at')),
    /the topology was \(hello, sha256 /,
  ],
  [
    'a shorter output',
    (output) => writeFileSync(output, '{}\n'),
    /\.jsonl has 3 bytes, but the batch had written \d+ bytes, according to /,
  ],
  [
    'no output',
    (output) => rmSync(output),
    /\.jsonl no longer exists, but the batch had written \d+ bytes, according to /,
  ],
  [
    'no bookmark',
    (output) => rmSync(`${output}.bookmark`),
    /--resume: .*\.jsonl has no .*\.bookmark beside it: it is complete, or no batch wrote it; leave out --resume/,
  ],
  [
    'a bookmark that is none',
    (output) => writeFileSync(`${output}.bookmark`, '{'),
    /\.bookmark is not a bookmark of this version of batch; remove it, and leave out --resume to start over/,
  ],
];
for (const [name, change, complaint] of changes) {
  test(`with ${name} it does not go on, and writes nothing`, async () => {
    const output = at(`${name.replaceAll(' ', '-')}.jsonl`);
    try {
      await stopped(output, 15);
      change(output);
      const before = existsSync(output) && readFileSync(output, 'utf8');
      const { code, stderr } = await run(output, '--resume');
      assert.equal(code, 2, stderr);
      assert.match(stderr, complaint);
      assert.equal(existsSync(output) && readFileSync(output, 'utf8'), before);
    } finally {
      writeFileSync(INPUT, EVENTS);
      writeFileSync(TOPOLOGY, SMALL);
    }
  });
}

test('settings that affect only speed do not change the identity', async () => {
  const output = at('faster.jsonl');
  await stopped(output, 15);
  writeFileSync(TOPOLOGY, hello.replace('KAFKA_BROKERS:-localhost:9092', 'KAFKA_BROKERS:-elsewhere:9092'));
  const { code, stderr } = await run(output, '--resume');
  writeFileSync(TOPOLOGY, SMALL);
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(output, 'utf8'), whole);
});

for (const [options, complaint] of [
  [{ output: '-' }, /--resume: standard output cannot be gone on with; give a file/],
  [{ output: '/dev/null' }, /--resume: \/dev\/null cannot be gone on with/],
  [{ input: '-' }, /--resume: standard input can be read once only; give a file/],
  [
    { output: 'x.parquet' },
    /--resume: x\.parquet is Parquet, which nobody can read before its last byte is written; give an output/,
  ],
  [
    { output: 'kafka:hello.late' },
    /--resume: of a batch into a topic nothing is noted unless it is said where; give --bookmark FILE/,
  ],
] as const) {
  test(`--resume cannot be with ${JSON.stringify(options)}`, async () => {
    const { input = INPUT, output = at('never.jsonl') } = options as { input?: string; output?: string };
    const env = { KAFKA_BROKERS: '127.0.0.1:1' };
    const { code, stderr } = await runHere(['batch', TOPOLOGY, '--input', input, '--output', output, '--resume'], {
      env,
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, complaint);
    assert.equal(existsSync(at('never.jsonl')), false);
  });
}

test('a useless bookmark is reported, and so is one in place of another file', async () => {
  const nothing = await run('-', '--bookmark', at('b'));
  assert.match(nothing.stderr, /--bookmark .*: standard output cannot be gone on with/);
  const same = await run(at('s.jsonl'), '--bookmark', INPUT);
  assert.match(same.stderr, /--input and --bookmark are the same file/);
  const nowhere = await run(at('s.jsonl'), '--bookmark', at('none/b'));
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /cannot write .*none\/b: ENOENT.*; make its folder/);
});

test('the unread part of a topic must still exist', () => {
  const saved = { next: { 0: 5, 1: 9 }, ranges: { 0: { from: 0, to: 9 }, 1: { from: 0, to: 9 } } } as never;
  checkRest(saved, 't', [{ start: 5, end: 9 }]);
  for (const [extents, complaint] of [
    [
      [{ start: 6, end: 9 }],
      /offsets 5 to 8 of t\/0 are still to be read, but it holds offsets 6 to 8; leave out --resume/,
    ],
    [[{ start: 0, end: 3 }], /of t\/0 .* it holds offsets 0 to 2/],
    [[], /of t\/0 .* it no longer exists/],
  ] as const) {
    assert.throws(() => checkRest(saved, 't', extents), { code: 'usage-invalid', message: complaint });
  }
});
