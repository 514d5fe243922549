/** A peer with a package of its own is listed, started where that is installed, and left out with a line where it is not. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONTESTANTS, type Contestant } from '../../bench/harness/contestants.ts';
import { NODE_PEERS, peerCommand } from '../../bench/harness/node.ts';
import type { Stage } from '../../bench/harness/stage.ts';
import { runWorkload } from '../../bench/harness/workload-run.ts';
import { WORKLOADS, type Workload } from '../../bench/workloads/workloads.ts';

const PACKAGE = '@platformatic/kafka';
const named = (name: string): Contestant => {
  const found = CONTESTANTS.find((contestant) => contestant.name === name);
  assert.ok(found !== undefined, name);
  return found;
};

test('the other client is a peer that copies, for every codec that the copying peers take', () => {
  const peer = named('platformatic-bare');
  assert.equal(peer.bare, true);
  assert.deepEqual(peer.codecs, named('kafkajs-bare').codecs);
});

test('a peer starts where its package is', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-peer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'node_modules', PACKAGE), { recursive: true });
  writeFileSync(join(folder, 'node_modules', PACKAGE, 'package.json'), '{}');
  writeFileSync(join(folder, 'peer.ts'), '');
  const { file, args, env } = peerCommand(PACKAGE, 'peer.ts', { BENCH_GROUP: 'g' }, folder);
  assert.deepEqual([file, args, env.BENCH_GROUP], [process.execPath, [join(folder, 'peer.ts')], 'g']);
});

test('a peer whose package is not there is left out with the command that installs it, and its topic dropped', async () => {
  const folder = join(tmpdir(), 'sluice-no-such-peer');
  const absent: Contestant = {
    ...named('platformatic-bare'),
    command: async () => peerCommand(PACKAGE, 'platformatic-bare.ts', {}, folder),
  };
  const made: string[] = [];
  const dropped: string[] = [];
  const stage = {
    stack: { env: { KAFKA_BROKERS: 'localhost:1', BIGTABLE_EMULATOR_HOST: 'localhost:1' } },
    brokers: 'localhost:1',
    createTopic: async (topic: string) => void made.push(topic),
    dropTopic: async (topic: string) => void dropped.push(topic),
    wire: { produce: async () => undefined },
  } as unknown as Stage;
  const said: string[] = [];
  const workload: Workload = { ...(WORKLOADS.get('light') as Workload), pool: 20 };
  const wanted = { modes: ['drain'], rounds: 2, records: 20, seconds: 1, quick: false };
  const { rows } = await runWorkload(stage, workload, [absent], wanted, (line) => said.push(line));
  assert.deepEqual(rows, []);
  assert.deepEqual(said.slice(1), [
    `  platformatic-bare is left out: ${PACKAGE} is not installed: npm ci --prefix ${folder}`,
  ]);
  assert.deepEqual(dropped, ['bench.light.platformatic-bare-0']);
  assert.ok(made.includes(dropped[0]));
});

test('its versions are pinned without addresses, and take no place of a package that the other peers use', () => {
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
  const own = read(`${NODE_PEERS}/package.json`);
  const lock = readFileSync(`${NODE_PEERS}/package-lock.json`, 'utf8');
  assert.equal(own.private, true);
  for (const version of Object.values(own.dependencies)) assert.match(String(version), /^\d+\.\d+\.\d+$/);
  assert.doesNotMatch(lock, /"resolved"/);
  const locked = JSON.parse(lock).packages as Record<string, { readonly version?: string }>;
  assert.equal(locked[`node_modules/${PACKAGE}`].version, own.dependencies[PACKAGE]);
  const shared = read('package-lock.json').packages as typeof locked;
  for (const name of ['kafkajs', 'onnxruntime-node', 'avsc']) {
    const nearer = locked[`node_modules/${name}`];
    // The nearer one would be taken, so it has to be the same.
    if (nearer !== undefined) assert.equal(nearer.version, shared[`node_modules/${name}`].version, name);
  }
});
