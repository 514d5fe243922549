/** `sluice batch --resume` of batches that were killed at any act: nothing is lost, nothing comes twice. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import avro from 'avsc';
import { readUnpacked } from '../../src/adapters/files/unpacked.ts';
import type { Stack } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { type Ran, runHere } from '../fixtures/io.ts';
import { seeded } from '../fixtures/random.ts';
import { headerText, quietKafka, type ReadRecord, readTopic } from '../fixtures/reader.ts';
import { type Env, Sluice } from '../fixtures/sluice.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-resume-'));
const at = (name: string): string => join(folder, name);
const random = seeded(7);

/** Frames of 40 records; every 50th is a dead letter. */
const TOPOLOGY = at('small.yaml');
const lines = readFileSync('examples/flight-delay/events-500.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line, i) => (i % 50 === 49 ? `no flight ${i}` : line));
const INPUT = at('in.jsonl');
const PACKED = at('in.jsonl.gz');

let stack: Stack;
before(async () => {
  const hello = readFileSync('topologies/hello.yaml', 'utf8');
  writeFileSync(TOPOLOGY, hello.replace(/^flow:/m, 'flow:\n  maxInFlight: { records: 40 }\n  maxBatch: 40'));
  writeFileSync(INPUT, lines.map((line) => `${line}\n`).join(''));
  writeFileSync(PACKED, gzipSync(readFileSync(INPUT)));
  stack = await startEmbeddedStack();
  for (const topic of ['hello.flights', 'from-file', 'from-topic', 'whole-file', 'whole-topic'])
    await stack.createTopic(topic, 2);
  const sender = quietKafka(stack.env.KAFKA_BROKERS, 'test').producer();
  await sender.connect();
  await sender.send({
    topic: 'hello.flights',
    messages: lines.map((value, i) => ({ key: `k${i % 7}`, value, partition: i % 2 })),
  });
  await sender.disconnect();
});

after(async () => {
  await stack?.stop();
  rmSync(folder, { recursive: true });
});

interface Options {
  readonly input: string;
  readonly output: string;
  readonly deadLetters: string;
  readonly bookmark?: string;
  readonly limit?: number;
}

function batch(options: Options, ...more: string[]): Promise<Ran> {
  const { input, output, deadLetters, bookmark, limit } = options;
  const args = ['--input', input, '--output', output, '--dead-letters', deadLetters, ...more];
  if (bookmark !== undefined) args.push('--bookmark', bookmark);
  if (limit !== undefined) args.push('--limit', String(limit));
  return runHere(['batch', TOPOLOGY, ...args], { env: stack.env });
}

/** In a process of its own, until it is killed at the given act. */
async function killed(options: Options, resume: boolean, act: number): Promise<Sluice> {
  const asked = JSON.stringify({ topology: TOPOLOGY, json: true, resume, ...options });
  const child = new Sluice([String(act), asked], stack.env as Env, 'test/fixtures/batch-killed.ts');
  await child.ended;
  return child;
}

/** A whole run has a few more. */
const ACTS = 70;

/** Kills a batch again and again, then lets it end; resolves with what the last run said. */
async function resumed(options: Options, kills: number): Promise<Ran> {
  for (let k = 0; k < kills; k++) {
    const act = 1 + Math.floor((random() * ACTS) / (k + 1));
    const child = await killed(options, k > 0, act);
    const code = await child.ended;
    // One that goes on may have less to do than that.
    assert.ok(code === 'SIGKILL' || (code === 0 && k > 0), `act ${act}: ${code} ${child.stderr}`);
  }
  const ran = await batch(options, '--resume');
  assert.equal(ran.code, 0, ran.stderr);
  return ran;
}

/** Dead letters but for when they were seen. */
function letters(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), timestamp: '', 'first-seen': '' }));
}

async function rows(file: string): Promise<unknown> {
  const values: unknown[] = [];
  if (!file.endsWith('.avro')) {
    for await (const bytes of readUnpacked(file, { onProgress: () => undefined })) values.push(bytes);
    return Buffer.concat(values as Buffer[]).toString();
  }
  for await (const value of avro.createFileDecoder(file)) values.push(JSON.stringify(value));
  return values;
}

for (const [name, input, kills] of [
  ['out.jsonl', INPUT, 2],
  ['out.csv', PACKED, 1],
  ['out.jsonl.gz', INPUT, 1],
  ['out.csv.zst', INPUT, 1],
  ['out.avro', INPUT, 1],
  ['topic.jsonl', 'kafka:hello.flights', 2],
] as const) {
  test(`${name} of a batch that was killed ${kills} times is that of one that was not`, async () => {
    const once = { input, output: at(`once-${name}`), deadLetters: at(`once-${name}.dead`) };
    assert.equal((await batch(once)).code, 0);
    const options = { input, output: at(name), deadLetters: at(`${name}.dead`) };
    const { stderr } = await resumed(options, kills);
    assert.deepEqual(await rows(options.output), await rows(once.output));
    assert.deepEqual(letters(options.deadLetters), letters(once.deadLetters));
    assert.match(stderr, /(^|\n)490 predictions, 10 dead letters \(10 decode-failed\) in /);
  });
}

/** By `sluice-source` what was published for it; once each. */
function bySource(records: readonly ReadRecord[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const record of records) {
    const source = headerText(record, 'sluice-source');
    assert.equal(found.has(source), false, `${source} is there twice`);
    found.set(source, String(record.value));
  }
  return found;
}

for (const [name, input, kills] of [
  ['from-file', INPUT, 2],
  ['from-topic', 'kafka:hello.flights', 2],
] as const) {
  test(`a topic (${name}) that a batch killed ${kills} times writes to has every output once`, async () => {
    const options = {
      input,
      output: `kafka:${name}`,
      bookmark: at(`${name}.bookmark`),
      deadLetters: at(`${name}.dead`),
    };
    const { stderr } = await resumed(options, kills);
    assert.match(stderr, /490 predictions, 10 dead letters \(10 decode-failed\) in /);
    const found = bySource(await readTopic(stack.env.KAFKA_BROKERS, name));
    assert.equal(found.size, 490);
    assert.equal(letters(options.deadLetters).length, 10);
  });
}

for (const [name, input, dead] of [
  ['whole-file', INPUT, 8],
  // Those of partition 0 come first, and are all good.
  ['whole-topic', 'kafka:hello.flights', 6],
] as const) {
  test(`a topic (${name}) that had all of it before a batch went on gets nothing of it twice, however often`, async () => {
    const [bookmark, old] = [at(`${name}.bookmark`), at(`${name}.old`)];
    const options = { input, output: `kafka:${name}`, bookmark, deadLetters: at(`${name}.dead`) };
    // Killed behind record 410, when the bookmark said 100.
    for (const limit of [100, 410]) {
      assert.equal((await batch({ ...options, limit }, '--resume')).code, 0);
      if (limit === 100) copyFileSync(bookmark, old);
    }
    copyFileSync(old, bookmark);
    const said: string[] = [];
    for (const [limit, published] of [
      [410, 410 - dead],
      [410, 410 - dead],
      [420, 420 - dead],
      [500, 490],
      [500, 490],
    ]) {
      const { code, stderr } = await batch({ ...options, limit }, '--resume');
      assert.equal(code, 0, stderr);
      said.push(stderr);
      assert.equal(bySource(await readTopic(stack.env.KAFKA_BROKERS, name)).size, published);
    }
    assert.match(
      said[0],
      /^resuming after .* records that the broker had received but not yet appended are published twice$/m,
    );
  });
}
