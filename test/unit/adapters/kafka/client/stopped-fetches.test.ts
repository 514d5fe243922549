import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { endStoppedFetches } from '../../../../../src/adapters/kafka/client/stopped-fetches.ts';
import { Gate } from '../../../../fixtures/fakes.ts';

interface ClientRunner {
  running: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const Runner = createRequire(import.meta.url)('kafkajs/src/consumer/runner') as new (options: object) => ClientRunner;

const logger = { namespace: () => logger, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** So often the fetchers may look whether they are to go on; the client as it is looks for ever. */
const LOOKS = 1_000;

test('a consumer that is stopped while its fetchers are replaced comes to an end', async () => {
  endStoppedFetches();
  endStoppedFetches();
  const poll = new Gate();
  poll.close();
  const group = {
    nodes: ['1', '2'],
    left: false,
    connect: async () => {},
    joinAndSync: async () => {},
    heartbeat: async () => {},
    getNodeIds: () => group.nodes,
    async fetch(node: string): Promise<unknown[]> {
      await (node === '2' ? poll.through() : nextTurn());
      return [];
    },
    async leave() {
      group.left = true;
    },
  };
  const crashes: unknown[] = [];
  const runner = new Runner({
    ...{ logger, consumerGroup: group, instrumentationEmitter: new EventEmitter(), concurrency: 1 },
    ...{
      retry: { initialRetryTime: 1, maxRetryTime: 1, retries: 3 },
      onCrash: (reason: unknown) => crashes.push(reason),
    },
  });
  await runner.start();
  await nextTurn();
  // The fetcher of the first broker sees that another one has come, and waits for the one that polls.
  group.nodes = ['1', '3'];
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  const stopped = runner.stop();
  let looks = 0;
  Object.defineProperty(runner, 'running', {
    get() {
      if (++looks > LOOKS) throw new Error('the fetchers go on without a turn of the loop');
      return false;
    },
    set() {},
  });
  poll.open();
  await stopped;
  assert.ok(group.left);
  assert.ok(looks < LOOKS, `${looks} looks`);
  assert.deepEqual(crashes, []);
});
