import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Offsets } from '../../../src/devstack/kafka/offsets.ts';
import { PartitionLog } from '../../../src/devstack/kafka/partition-log.ts';
import { type Epoch, Transactions } from '../../../src/devstack/kafka/transactions.ts';
import { openTransactionalClient } from '../../contract/transactional-client.ts';
import { withBroker } from './kafka-client.ts';

const TOO_OLD = 47;
const OTHER_ID = 49;

/** Timers that fire when they are told to. */
function timers() {
  const set = new Map<object, { readonly delayMs: number; readonly fire: () => void }>();
  return {
    set,
    after: (delayMs: number, fire: () => void) => {
      const key = {};
      set.set(key, { delayMs, fire });
      return { cancel: () => void set.delete(key) };
    },
  };
}

function begun(transactions: Transactions, id: string, timeoutMs = 1_000): Epoch {
  const epoch = transactions.begin(id, timeoutMs);
  assert.ok(typeof epoch !== 'number');
  return epoch;
}

test('the time of a transaction runs from its first partition or group to its end', () => {
  const { set, after } = timers();
  let ids = 0;
  const transactions = new Transactions(after, () => ids++);
  const [log, offsets] = [new PartitionLog(1, () => undefined), new Offsets()];
  const epoch = begun(transactions, 't', 700);
  assert.equal(set.size, 0);
  transactions.add(epoch, [log], []);
  transactions.add(epoch, [], [offsets]);
  assert.deepEqual(
    [...set.values()].map(({ delayMs }) => delayMs),
    [700],
  );
  transactions.end(epoch, true);
  assert.equal(set.size, 0);
  transactions.add(epoch, [], [offsets]);
  offsets.commitWith(epoch.producerId, 'topic', 0, { offset: 5, metadata: '' });
  const [{ fire }] = set.values();
  fire();
  assert.equal(transactions.end(epoch, true), TOO_OLD);
  assert.equal(offsets.committed.size, 0, 'what was too slow is aborted');
  transactions.add(begun(transactions, 't'), [log], []);
  assert.equal(set.size, 1);
  transactions.close();
  assert.equal(set.size, 0);
});

test('behind the last epoch of a producer id comes another producer id', () => {
  let ids = 7;
  const transactions = new Transactions(timers().after, () => ids++);
  let last = begun(transactions, 't');
  for (let next = last; next.producerId === 7; next = begun(transactions, 't')) last = next;
  assert.equal(last.producerEpoch, 0x7ffe);
  assert.equal(transactions.end(last, true), OTHER_ID);
  const { producerId, producerEpoch } = begun(transactions, 't');
  assert.deepEqual([producerId, producerEpoch], [8, 1]);
});

test('the coordinator of a transaction may move within it, and who asks the old one is sent on', async () => {
  await withBroker({ brokers: 3 }, async ({ broker, onEnd }) => {
    broker.createTopic('t');
    const client = await openTransactionalClient(broker.brokers.join(','));
    onEnd(() => client.close());
    const epoch = await client.begin('id');
    await client.addPartitions(epoch, 't', [0]);
    for (const node of [1, 2, 3]) {
      broker.moveCoordinator('id', node);
      broker.moveLeader('t', 0, node);
      await client.write(epoch, { topic: 't', partition: 0 }, node - 1, [`by ${node}`]);
      await client.addPartitions(epoch, 't', [0]);
    }
    assert.deepEqual(broker.committed('t', 0), [], 'nothing is committed yet');
    await client.end(epoch, 'commit');
    assert.deepEqual(await client.values('t'), ['by 1', 'by 2', 'by 3']);
    assert.equal(broker.committed('t', 0).length, 3);
    assert.equal(broker.read('t', 0).length, 4, 'and a marker');
  });
});

test('what is committed is without open and aborted records and without markers', async () => {
  await withBroker({}, async ({ broker, onEnd }) => {
    broker.createTopic('t');
    const client = await openTransactionalClient(broker.brokers.join(','));
    onEnd(() => client.close());
    const at = { topic: 't', partition: 0 };
    const [one, two] = [await client.begin('one'), await client.begin('two')];
    for (const [n, outcome] of (['commit', 'abort', 'commit'] as const).entries()) {
      await client.addPartitions(one, 't', [0]);
      await client.write(one, at, n, [outcome]);
      await client.end(one, outcome);
    }
    await client.addPartitions(two, 't', [0]);
    await client.write(two, at, 0, ['open']);
    const firsts = (batches: Buffer[]): number[] => batches.map((batch) => Number(batch.readBigInt64BE(0)));
    assert.deepEqual(firsts(broker.committed('t', 0)), [0, 4]);
    assert.deepEqual(firsts(broker.read('t', 0)), [0, 1, 2, 3, 4, 5, 6]);
  });
});
