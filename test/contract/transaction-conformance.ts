import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { until } from '../fixtures/until.ts';
import { lazyBench } from './bench-broker.ts';
import type { BrokerUnderTest } from './source-sink.ts';
import { openTransactionalClient, type TransactionalClient } from './transactional-client.ts';

const LIMIT = { timeout: 60_000 };

/** What a broker promises to transactional writers, and to readers of committed records. */
export function transactionConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  describe(`${name}: transactions`, () => {
    const bench = lazyBench(start);
    let made: Promise<TransactionalClient> | undefined;
    after(async () => (await made)?.close());

    async function transactional(partitions = 1) {
      const { brokers, fresh, topic } = await bench();
      made ??= openTransactionalClient(brokers.join(','));
      const client = await made;
      const name = await topic(partitions);
      return { client, id: fresh('txn'), group: fresh('group'), topic: name, at: { topic: name, partition: 0 } };
    }

    test(
      'records and offsets of a transaction are seen once it is committed, and never when it is aborted',
      LIMIT,
      async () => {
        const { client, id, group, topic, at } = await transactional();
        const epoch = await client.begin(id);
        for (const [outcome, sequence] of [
          ['commit', 0],
          ['abort', 2],
          ['commit', 4],
        ] as const) {
          const before = { values: await client.values(topic), offset: await client.committed(group, topic) };
          const [end] = await client.ends(topic);
          await client.addPartitions(epoch, topic, [0]);
          await client.addOffsets(epoch, group);
          const values = [`${outcome} ${sequence}`, `${outcome} ${sequence + 1}`];
          await client.write(epoch, at, sequence, values);
          await client.commitOffset(epoch, group, at, 10 + sequence);
          assert.deepEqual(
            await client.ends(topic),
            [end + 2, end],
            'readers of committed records stop in front of it',
          );
          assert.equal(await client.committed(group, topic), before.offset);
          await client.end(epoch, outcome);
          // The marker of a transaction takes an offset.
          await until('it has ended', async () => (await client.ends(topic))[1] === end + 3);
          const isCommitted = outcome === 'commit';
          assert.deepEqual(await client.values(topic), isCommitted ? [...before.values, ...values] : before.values);
          await until(
            'its offset counts',
            async () => (await client.committed(group, topic)) === (isCommitted ? 10 + sequence : before.offset),
          );
        }
      },
    );

    test('a new epoch fences the previous one, and aborts its open transaction', LIMIT, async () => {
      const { client, id, group, topic, at } = await transactional();
      const old = await client.begin(id);
      await client.addPartitions(old, topic, [0]);
      await client.addOffsets(old, group);
      await client.write(old, at, 0, ['left open']);
      await client.commitOffset(old, group, at, 7);
      const next = await client.begin(id);
      assert.equal(next.producerId, old.producerId);
      assert.ok(next.producerEpoch > old.producerEpoch);
      await until('it is aborted', async () => (await client.ends(topic)).join() === '2,2');
      for (const [request, said] of [
        [() => client.write(old, at, 1, ['late']), 'INVALID_PRODUCER_EPOCH'],
        [() => client.writePlain(old, at, 1, ['late']), 'INVALID_PRODUCER_EPOCH'],
        [() => client.addPartitions(old, topic, [0]), 'INVALID_PRODUCER_EPOCH'],
        [() => client.addOffsets(old, group), 'INVALID_PRODUCER_EPOCH'],
        [() => client.end(old, 'commit'), 'INVALID_PRODUCER_EPOCH'],
      ] as const)
        assert.equal(await client.answer(request()), said);
      // The offsets are in another partition, whose marker may be later: it aborts the records before it.
      await until('its offsets are shut out', async () => {
        const said = await client.answer(client.commitOffset(old, group, at, 8));
        return said === 'INVALID_PRODUCER_EPOCH';
      });
      await client.addPartitions(next, topic, [0]);
      await client.write(next, at, 0, ['of the new epoch']);
      await client.end(next, 'commit');
      await until('it is committed', async () => (await client.ends(topic)).join() === '4,4');
      assert.deepEqual(await client.values(topic), ['of the new epoch']);
      assert.equal(await client.committed(group, topic), -1);
    });

    test('a transaction that exceeds its time-out is aborted, and its epoch ends', LIMIT, async () => {
      const { client, id, topic, at } = await transactional();
      const epoch = await client.begin(id, 300);
      await client.addPartitions(epoch, topic, [0]);
      await client.write(epoch, at, 0, ['too slow']);
      await until('it is aborted', async () => (await client.ends(topic)).join() === '2,2');
      assert.equal(await client.answer(client.end(epoch, 'commit')), 'INVALID_PRODUCER_EPOCH');
      assert.equal(await client.answer(client.write(epoch, at, 1, ['late'])), 'INVALID_PRODUCER_EPOCH');
      const next = await client.begin(id, 60_000);
      await client.addPartitions(next, topic, [0]);
      await client.write(next, at, 0, ['in time']);
      await client.end(next, 'commit');
      await until('it is committed', async () => (await client.values(topic)).join() === 'in time');
    });

    test('requests without a transaction, or for partitions not added, are refused', LIMIT, async () => {
      const { client, id, group, topic, at } = await transactional(2);
      const epoch = await client.begin(id);
      const answer = (request: Promise<unknown>) => client.answer(request);
      assert.equal(await answer(client.end(epoch, 'commit')), 'INVALID_TXN_STATE');
      assert.equal(await answer(client.write(epoch, at, 0, ['nowhere'])), 'INVALID_TXN_STATE');
      await client.addPartitions(epoch, topic, [1]);
      assert.equal(await answer(client.write(epoch, at, 0, ['elsewhere'])), 'INVALID_TXN_STATE');
      assert.equal(await answer(client.commitOffset(epoch, group, at, 1)), 'INVALID_TXN_STATE');
      const stranger = { ...epoch, producerId: '987654321' };
      assert.equal(await answer(client.addPartitions(stranger, topic, [0])), 'INVALID_PRODUCER_ID_MAPPING');
      assert.equal(await answer(client.end(stranger, 'commit')), 'INVALID_PRODUCER_ID_MAPPING');
      assert.equal(await answer(client.addPartitions(epoch, 'not-there', [0])), 'UNKNOWN_TOPIC_OR_PARTITION');
      assert.equal(await answer(client.begin(`${id}-slow`, 2 ** 31 - 1)), 'INVALID_TRANSACTION_TIMEOUT');
      await client.end(epoch, 'commit');
      assert.equal(await answer(client.end(epoch, 'commit')), 'none', 'said again, because the answer was lost');
      assert.equal(await answer(client.end(epoch, 'abort')), 'INVALID_TXN_STATE');
      await until('a partition of which nothing came is as stable as any', async () => {
        const [all, stable] = await client.ends(topic);
        return all === stable;
      });
    });

    test('sequences continue from one transaction to the next, and repeated rows are written once', LIMIT, async () => {
      const { client, id, topic, at } = await transactional();
      const epoch = await client.begin(id);
      await client.addPartitions(epoch, topic, [0]);
      await client.write(epoch, at, 0, ['a', 'b']);
      await client.write(epoch, at, 0, ['a', 'b']);
      assert.equal(await client.answer(client.write(epoch, at, 3, ['d'])), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
      assert.equal(await client.answer(client.writePlain(epoch, at, 2, ['c'])), 'INVALID_TXN_STATE');
      await client.end(epoch, 'commit');
      await client.addPartitions(epoch, topic, [0]);
      await client.write(epoch, at, 2, ['c']);
      await client.end(epoch, 'commit');
      await until('both are committed', async () => (await client.values(topic)).join() === 'a,b,c');
      assert.deepEqual(await client.ends(topic), [5, 5]);
    });

    test(
      'readers are served up to the first transaction that is open, and are told which are aborted',
      LIMIT,
      async () => {
        const { client, id, topic, at } = await transactional();
        const [one, two] = [await client.begin(`${id}-1`), await client.begin(`${id}-2`)];
        for (const epoch of [one, two]) await client.addPartitions(epoch, topic, [0]);
        await client.write(one, at, 0, ['one']);
        await client.write(two, at, 0, ['two']);
        assert.deepEqual(await client.ends(topic), [2, 0]);
        await client.end(two, 'commit');
        await until('the marker is there', async () => (await client.ends(topic))[0] === 3);
        assert.deepEqual(await client.ends(topic), [3, 0], 'what is committed behind an open one has to wait');
        await client.write(one, at, 1, ['one more']);
        await client.end(one, 'abort');
        await until('both have ended', async () => (await client.ends(topic)).join() === '5,5');
        assert.deepEqual(await client.values(topic), ['two']);
      },
    );

    test('of two offsets the last written one counts, in a transaction or not', LIMIT, async () => {
      const { client, id, group, topic, at } = await transactional();
      const epoch = await client.begin(id);
      await client.addOffsets(epoch, group);
      await client.commitOffset(epoch, group, at, 5);
      await client.commitPlain(group, at, 3);
      await client.end(epoch, 'commit');
      await client.addOffsets(epoch, group);
      assert.equal(await client.committed(group, topic), 3);
      await client.commitOffset(epoch, group, at, 6);
      await client.end(epoch, 'commit');
      await until('the later one counts', async () => (await client.committed(group, topic)) === 6);
    });
  });
}
