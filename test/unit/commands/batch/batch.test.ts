import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { providersFor } from '../../../../src/adapters/onnx/providers.ts';
import { type Ran, type RunSetup, runHere } from '../../../fixtures/io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-batch-'));
after(() => rmSync(folder, { recursive: true }));

const HELLO = 'topologies/hello.yaml';
const FLIGHTS = 'topologies/flight-delay.yaml';
const EXAMPLE = 'examples/flight-delay';
const EVENTS = `${EXAMPLE}/events-500.jsonl`;

const at = (name: string): string => join(folder, name);

function file(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

function batch(options: Readonly<Record<string, string | true>>, setup: RunSetup = {}, topology = HELLO): Promise<Ran> {
  const given: typeof options = { input: EVENTS, output: '-', ...options };
  const args = Object.entries(given).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
  return runHere(['batch', topology, ...args], setup);
}

/** The shipped topology with other settings, as a file of its own. */
function flightsWith(name: string, ...changes: readonly (readonly [RegExp, string])[]): string {
  let text = readFileSync(FLIGHTS, 'utf8');
  for (const [pattern, to] of changes) {
    assert.match(text, pattern);
    text = text.replace(pattern, to);
  }
  return file(name, text);
}

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'the last line has an end');
  return lines;
};

const whole = await batch({});

test('standard output holds the predictions and nothing else', () => {
  assert.equal(whole.code, 0);
  const lines = linesOf(whole.stdout).map((line) => JSON.parse(line));
  assert.equal(lines.length, 500);
  assert.deepEqual(Object.keys(lines[0]), ['id', 'probability']);
  assert.match(whole.stderr, /^500 predictions in \d+\.\d s\n$/);
});

test('compressed files are read and written like plain ones', async () => {
  const input = file('in.jsonl.gz', gzipSync(readFileSync(EVENTS)));
  const { code, stdout } = await batch({ input, output: at('out.jsonl.gz') });
  assert.deepEqual([code, stdout], [0, '']);
  assert.equal(gunzipSync(readFileSync(at('out.jsonl.gz'))).toString('utf8'), whole.stdout);
});

test('standard input is read to its end, or the limit', async () => {
  const stdin = readFileSync(EVENTS, 'utf8');
  assert.deepEqual((await batch({ input: '-' }, { stdin })).stdout, whole.stdout);
  const { stdout, stderr } = await batch(
    { input: '-', limit: '1', 'dead-letters': at('in.dead') },
    { stdin: `no\n${stdin}` },
  );
  assert.equal(stdout, '');
  assert.match(stderr, /0 predictions, 1 dead letter \(1 decode-failed\)/);
  assert.equal(JSON.parse(readFileSync(at('in.dead'), 'utf8')).topic, 'stdin');
});

test('a limit scores the first records', async () => {
  const { code, stdout, stderr } = await batch({ limit: '3' });
  assert.equal(code, 0);
  assert.deepEqual(linesOf(stdout), linesOf(whole.stdout).slice(0, 3));
  assert.match(stderr, /^3 predictions /);
});

test('the summary as JSON goes to standard output, unless the predictions do', async () => {
  const apart = await batch({ output: at('apart'), json: true });
  assert.equal(apart.stderr, '');
  const { seconds, ...summary } = JSON.parse(apart.stdout);
  assert.deepEqual(summary, { result: 'done', published: 500, 'dead-lettered': 0, dropped: 0, reasons: {} });
  assert.ok(seconds > 0);
  const together = await batch({ json: true });
  assert.equal(together.stdout, whole.stdout);
  assert.equal(JSON.parse(together.stderr).published, 500);
});

test('a file of bad records only is read to its end, whatever the limit on dead letters', {
  timeout: 30_000,
}, async () => {
  const limited = readFileSync(HELLO, 'utf8').replace(
    /^(deadLetter: \{ topic: \S+) \}/m,
    '$1, limit: { window: 100 } }',
  );
  assert.match(limited, /window: 100/);
  const topology = file('limited.yaml', limited);
  const input = file('all-bad.jsonl', 'no flight\n'.repeat(1_000));
  const { code, stderr } = await batch({ input }, {}, topology);
  assert.equal(code, 0);
  assert.match(stderr, /0 predictions, 1,?000 dead letters/);
});

test('records that cannot be scored are counted, and written with their reasons if a file is given', async () => {
  const good = readFileSync(EVENTS, 'utf8').split('\n')[0];
  const input = file('bad.jsonl', Buffer.concat([Buffer.from(`${good}\n\n{"id": \n[1]\n`), Buffer.from([0xff, 10])]));
  const { code, stdout, stderr } = await batch({ input, 'dead-letters': at('dead.jsonl') });
  assert.equal(code, 0);
  assert.deepEqual(linesOf(stdout), linesOf(whole.stdout).slice(0, 1));
  assert.match(stderr, /\n1 prediction, 3 dead letters \(3 decode-failed\) in /);
  const dead = linesOf(readFileSync(at('dead.jsonl'), 'utf8')).map((line) => JSON.parse(line));
  assert.deepEqual(
    dead.map(({ topic, offset, reason, stage, value, valueBase64 }) => [
      topic,
      offset,
      reason,
      stage,
      value ?? valueBase64,
    ]),
    [
      [input, '2', 'decode-failed', 'decode', '{"id": '],
      [input, '3', 'decode-failed', 'decode', '[1]'],
      [input, '4', 'decode-failed', 'decode', '/w=='],
    ],
  );
  assert.match(dead[0].model, /^hello@1#[0-9a-f]{12}$/);
  const untold = await batch({ input, json: true, output: at('untold') });
  assert.equal(untold.code, 0);
  assert.deepEqual(JSON.parse(untold.stdout).reasons, { 'decode-failed': 3 });
});

test('a value larger than the credit is a dead letter by reference', async () => {
  const topology = file(
    'small.yaml',
    readFileSync(HELLO, 'utf8').replace(/^flow:/m, 'flow:\n  maxInFlight: { bytes: 1KiB }'),
  );
  const input = file('large.jsonl', `{"pad":"${'x'.repeat(2_000)}"}\n`);
  const { code, stderr } = await batch({ input, 'dead-letters': at('large.dead') }, {}, topology);
  assert.equal(code, 0);
  assert.match(stderr, /0 predictions, 1 dead letter \(1 too-large\)/);
  const [letter] = linesOf(readFileSync(at('large.dead'), 'utf8')).map((line) => JSON.parse(line));
  assert.deepEqual([letter.reason, letter.offset, letter.value], ['too-large', '0', null]);
});

test('a credit smaller than a frame is respected', async () => {
  const topology = flightsWith('few.yaml', [/records: 20000/, 'records: 10'], [/maxBatch: 256/, 'maxBatch: 10']);
  const { code, stdout } = await batch({ features: `${EXAMPLE}/features` }, {}, topology);
  assert.equal(code, 0);
  assert.equal(linesOf(stdout).length, 500);
});

test('a topology with look-ups says what it needs', async () => {
  const { code, stderr } = await batch({}, {}, FLIGHTS);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /looks features up in airport, route: give --features DIR, a folder with airport\.jsonl, route\.jsonl \(or \.gz\)/,
  );
  const elsewhere = await batch({ features: folder }, {}, FLIGHTS);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.stderr, /has neither airport\.jsonl nor airport\.jsonl\.gz/);
});

for (const [title, options, complaint] of [
  ['is not there', { input: 'none.jsonl' }, /there is no file none\.jsonl; give --input a file of records/],
  ['is a folder', { input: 'examples' }, /examples is a folder; give --input a file of records/],
  ['cannot be made', { output: 'none/out.jsonl' }, /cannot write none\/out\.jsonl: ENOENT/],
] as const) {
  test(`a file that ${title} is wrong usage`, async () => {
    const { code, stdout, stderr } = await batch(options);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, complaint);
  });
}

test('a file that is still needed is never overwritten', async () => {
  const input = file('mine.jsonl', '{}\n');
  symlinkSync(input, at('alias.jsonl'));
  for (const [options, complaint] of [
    [{ input, output: at('alias.jsonl') }, /--input and --output are the same file/],
    [{ input, 'dead-letters': join(folder, '.', 'mine.jsonl') }, /--input and --dead-letters are the same file/],
    [{ input, output: at('new'), 'dead-letters': at('new') }, /--output and --dead-letters are the same file/],
    [{ input, 'dead-letters': '-' }, /--output and --dead-letters are the same file, standard output/],
  ] as const) {
    const { code, stderr } = await batch(options);
    assert.equal(code, 2);
    assert.match(stderr, complaint);
  }
  assert.equal(readFileSync(input, 'utf8'), '{}\n');
  assert.equal((await batch({ input: EVENTS, output: '/dev/null', 'dead-letters': '/dev/null' })).code, 0);
});

test('a damaged input fails the run after its intact part', async () => {
  const packed = gzipSync(readFileSync(EVENTS));
  const input = file('cut.jsonl.gz', packed.subarray(0, packed.length >> 1));
  const { code, stdout, stderr } = await batch({ input });
  assert.equal(code, 1);
  assert.equal(whole.stdout.startsWith(stdout), true);
  assert.match(stderr, /\d+ predictions? in .* s; failed: cannot unpack .*cut\.jsonl\.gz: it ends too soon\n$/);
  const summary = JSON.parse((await batch({ input, output: at('cut.out'), json: true })).stdout);
  assert.deepEqual([summary.result, summary.error.code], ['failed', 'file-failed']);
});

test('a signal ends a batch once frames in flight have settled, and it says that it is incomplete', async () => {
  const input = file('much.jsonl', readFileSync(EVENTS, 'utf8').repeat(100));
  const setup: RunSetup = {
    onStdout: (_text, signal) => {
      signal('SIGTERM');
      return undefined;
    },
  };
  const { code, stdout, stderr } = await batch({ input }, setup);
  assert.equal(code, 0);
  const lines = linesOf(stdout);
  assert.ok(lines.length >= 500 && lines.length < 50_000, `${lines.length} lines`);
  const all = linesOf(whole.stdout);
  lines.forEach((line, i) => void assert.equal(line, all[i % 500]));
  assert.match(
    stderr,
    new RegExp(
      `^${lines.length.toLocaleString('en')} predictions in .* s; stopped by SIGTERM: the rest of the input is not scored\\n$`,
    ),
  );
  const { stderr: summary } = await batch({ input, json: true }, setup);
  assert.equal(JSON.parse(summary).stoppedBy, 'SIGTERM');
});

test('a reader of standard output that leaves is not a failure, and nothing is reported', async () => {
  const input = file('more.jsonl', readFileSync(EVENTS, 'utf8').repeat(20));
  const setup: RunSetup = { onStdout: () => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) };
  assert.deepEqual(await batch({ input }, setup), { code: 0, stdout: '', stderr: '' });
});

test('a standard output that is full is a failure', async () => {
  const setup: RunSetup = { onStdout: () => Object.assign(new Error('no space left'), { code: 'ENOSPC' }) };
  const { code, stderr } = await batch({}, setup);
  assert.equal(code, 1);
  assert.match(stderr, /failed: cannot write standard output: no space left\n$/);
});

test('a device that is not available fails before anything is written', async (t) => {
  if (providersFor('cuda')[0].available) return t.skip('this machine has CUDA');
  const topology = flightsWith('cuda.yaml', [/device: auto/, 'device: cuda']);
  const { code, stderr } = await batch({ features: `${EXAMPLE}/features` }, {}, topology);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^sluice: model\.device is cuda, which is not available: .* set model\.device to auto or cpu\n$/,
  );
});

test('a topology with a mistake is refused with its line', async () => {
  const topology = flightsWith('wrong.yaml', [/maxBatch: 256/, 'maxBatch: many']);
  const { code, stderr } = await batch({}, {}, topology);
  assert.equal(code, 2);
  assert.match(stderr, /wrong\.yaml cannot be run:\n.*wrong\.yaml:\d+:\d+ flow\.maxBatch:? /);
});
